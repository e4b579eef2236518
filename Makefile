PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# so that DVC's stages find the same Python
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast lint format mlflow-ui

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(VENV)/installed ## Make .venv with the pinned packages

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m vestibular.plot_page
	@touch $@

demo: install ## Run the pipeline and show the leaderboard
	dvc repro
	@echo
	@vestibular leaderboard
	@echo "(in a new shell first: source .venv/bin/activate)"

test: install ## Run every test
	pytest

test-fast: install ## Run the tests that need no torch
	pytest -m 'not slow'

lint: install ## Check style and types
	ruff check
	ruff format --check
	mypy

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
