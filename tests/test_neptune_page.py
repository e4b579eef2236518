"""The server's page, in a real browser."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait
from serving import Serving, assign, floats

pytestmark = pytest.mark.slow

SECONDS = 20
LOSS = "finetuning/train/loss"
NAMES = ("gpt2-mini", "gpt2-tiny", "opt-tiny")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with three runs and a model of three versions."""
    with Serving(tmp_path_factory.mktemp("page") / "root", "--port", "0") as serving:
        for number, name in enumerate(NAMES, 1):
            run = serving.create("run", customId=name)
            loss = [(float(step), 4 * math.exp(-step * number / 90) + 0.2) for step in range(300)]
            percent = [(float(step), 50 + 40 * math.sin(step / number / 9)) for step in range(120)]
            serving.execute(
                run["id"],
                assign("sys/name", name),
                {"path": "sys/tags", "insertStrings": {"values": ["demo"]}},
                assign("parameters/train/learning_rate", 0.01),
                assign("notes", "<b>not bold</b> & ação"),
                floats(LOSS, loss),
                floats("finetuning/validation/loss", loss[::50]),
                floats("monitoring/cpu_percent", percent),
                floats("monitoring/memory_bytes", [(step, 3e9 + value) for step, value in percent]),
            )
        model = serving.create("model", key="QAPTBR")
        for name, score in zip(NAMES, (0.753, 0.488, 0.329), strict=True):
            version = serving.create("modelVersion", parentId=model["id"])
            serving.execute(
                version["id"],
                assign("model/model-name", name),
                assign("model/exact-match", score),
                assign("model/f1", score + 0.05),
                assign("sys/stage", "production" if score > 0.7 else "none"),
            )
        yield serving


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Chromium without a window."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()
