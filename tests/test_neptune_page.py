"""The server's page, in a real browser."""

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
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
                assign("model/note", "long " * 20),
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


@pytest.fixture
def page(serving: Serving, browser: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The page, drawn; afterwards the browser has complained of nothing and asked nobody else."""
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(f"{serving.address}/")
    until(browser, lambda: len(curves(browser)) == len(NAMES))
    yield browser
    assert browser.get_log("browser") == []
    asked = [url for url in requests(browser) if not url.startswith("about:")]
    assert f"{serving.address}/page.js" in asked
    assert [url for url in asked if not url.startswith(f"{serving.address}/")] == []


def requests(browser: webdriver.Chrome) -> list[str]:
    """Return the addresses that the browser has asked for since the last time."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]


def until(browser: webdriver.Chrome, condition: Callable[[], Any]) -> None:
    """Wait for the page."""
    WebDriverWait(browser, SECONDS).until(lambda _: condition())


def element(browser: webdriver.Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def texts(browser: webdriver.Chrome, selector: str) -> list[str]:
    """Return what is to be read of every such element, all at one moment."""
    script = (
        "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText.trim())"
    )
    return [" ".join(text.split()) for text in browser.execute_script(script, selector)]


def curves(browser: webdriver.Chrome) -> list[str]:
    """Return the paths of the joint chart, all at one moment."""
    script = (
        "return [...document.querySelectorAll('#curve path.line')]"
        ".map((path) => path.getAttribute('d'))"
    )
    return [str(path) for path in browser.execute_script(script)]


def test_the_page_shows_runs_curves_hardware_and_models(page: webdriver.Chrome) -> None:
    """All that the server holds is there, and markup in a field stays text."""
    assert texts(page, "#run-table tbody td:nth-child(3)") == list(reversed(NAMES))
    assert texts(page, "#curve .legend li") == [
        f"{name} (VEST-{number})" for number, name in enumerate(NAMES, 1)
    ]
    assert Select(element(page, "#series")).first_selected_option.text == LOSS
    assert texts(page, "#hardware-charts figcaption") == ["cpu_percent", "memory_bytes"]
    until(page, lambda: len(page.find_elements(By.CSS_SELECTOR, "#hardware-charts path")) == 6)
    versions = texts(page, "#model-tables tbody tr")
    assert ["production" in version for version in versions] == [False, False, True]
    assert "gpt2-mini 0.753 0.803" in versions[2]
    assert not any("long" in version for version in versions), "it has a place among the fields"
    assert "<b>not bold</b> & ação" in texts(page, "#field-table td")


def test_a_curve_is_drawn_where_its_values_lie(page: webdriver.Chrome) -> None:
    """The path's ends, measured against the axis' own marks, are the first and last values."""
    marks = {
        float(text.text): float(text.get_attribute("y") or "") - 4
        for text in page.find_elements(By.CSS_SELECTOR, "#curve text[text-anchor=end]")
        if text.text != "step"
    }
    per_unit = (marks[0] - marks[4]) / 4
    heights = [float(place) for place in re.findall(r" ([\d.]+)", curves(page)[0])]
    assert (marks[0] - heights[0]) / per_unit == pytest.approx(4.2, abs=0.01)
    last = 4 * math.exp(-299 / 90) + 0.2
    assert (marks[0] - heights[-1]) / per_unit == pytest.approx(last, abs=0.01)


def place(browser: webdriver.Chrome) -> str | None:
    """Return what the keyboard is at in the table of runs."""
    key = browser.execute_script("return document.activeElement.dataset.key")
    return None if key is None else str(key)


def press(browser: webdriver.Chrome, *keys: str) -> None:
    """Press keys at whatever has the keyboard; rows may be drawn anew at any time."""
    webdriver.ActionChains(browser).send_keys(*keys).perform()


def test_everything_is_done_by_keyboard(page: webdriver.Chrome) -> None:
    """Tab reaches a run's box, space leaves the run out, arrows read the chart's values."""
    element(page, "#find").send_keys(Keys.TAB)
    while place(page) != "choose VEST-3":
        press(page, Keys.TAB)
    press(page, Keys.SPACE)
    until(page, lambda: len(curves(page)) == len(NAMES) - 1)
    # the rows were drawn anew; the keyboard is still where it was
    assert place(page) == "choose VEST-3"
    press(page, Keys.SPACE)
    until(page, lambda: len(curves(page)) == len(NAMES))
    element(page, "#curve svg").send_keys(Keys.HOME)
    until(page, lambda: "step 0: gpt2-mini (VEST-1) 4.2," in texts(page, "#curve .readout")[0])
    element(page, "#curve svg").send_keys(Keys.END)
    until(page, lambda: "step 299: gpt2-mini" in texts(page, "#curve .readout")[0])


def test_a_new_point_shows_within_five_seconds(serving: Serving, page: webdriver.Chrome) -> None:
    """The page follows the server by itself."""
    before = curves(page)[0]
    run = serving.create("run", customId=NAMES[0])
    serving.execute(run["id"], floats(LOSS, [(330.0, 0.1)]))
    WebDriverWait(page, 5).until(lambda _: curves(page)[0] != before)
    serving.execute(run["id"], {"path": LOSS, "deleteAttribute": {}})
    loss = [(float(step), 4 * math.exp(-step / 90) + 0.2) for step in range(300)]
    serving.execute(run["id"], floats(LOSS, loss))
    until(page, lambda: curves(page) and curves(page)[0] == before)


def test_the_addresses_that_the_client_prints_lead_here(
    serving: Serving, page: webdriver.Chrome
) -> None:
    """A run's address shows the run alone, a version's its fields."""
    page.get(f"{serving.address}/local/vestibular/e/VEST-2/metadata")
    until(page, lambda: texts(page, "#curve .legend li") == ["gpt2-tiny (VEST-2)"])
    page.get(f"{serving.address}/local/vestibular/m/VEST-QAPTBR/v/VEST-QAPTBR-1")
    until(page, lambda: "0.753" in texts(page, "#field-table td"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1200])
def test_text_has_contrast_and_nothing_sticks_out(
    page: webdriver.Chrome, width: int, scheme: str
) -> None:
    """At a phone's width nothing scrolls sideways; text and lines stand out from their ground."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        until(page, lambda: len(curves(page)) == len(NAMES))
        wide = page.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width
        for selector, property_name, least in (
            ("#run-table td", "color", 4.5),
            ("#status", "color", 4.5),
            ("#curve svg text", "fill", 4.5),
            ("#run-table .running", "color", 4.5),
            ("#curve path.line", "stroke", 3),
        ):
            pairs = page.execute_script(COLOURS, selector, property_name)
            assert pairs, selector
            for colour, ground in pairs:
                assert contrast(colour, ground) >= least, (selector, colour, ground)
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


COLOURS = """
const clear = "rgba(0, 0, 0, 0)";
return [...document.querySelectorAll(arguments[0])].map((found) => {
  let place = found;
  while (getComputedStyle(place).backgroundColor === clear) place = place.parentElement;
  return [getComputedStyle(found)[arguments[1]], getComputedStyle(place).backgroundColor];
});
"""


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21.

    Source: WCAG 2.2, definitions of relative luminance and contrast ratio.
    """

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_page_is_light(serving: Serving) -> None:
    """All its files together are smaller than a photograph."""
    sizes = [file.stat().st_size for file in (ROOT / "src/neptune_server/page_files").iterdir()]
    assert sum(sizes) < 40_000


def test_elsewhere_the_page_asks_for_the_token(tmp_path: Path, browser: webdriver.Chrome) -> None:
    """Where more than one machine may ask, the server shows nothing before it has the token."""
    with Serving(tmp_path / "root", "--port", "0", "--host", "127.0.0.2") as serving:
        serving.create("run", customId="x")
        browser.get(f"{serving.address}/")
        until(browser, lambda: element(browser, "#token").is_displayed())
        assert texts(browser, "#run-table tbody tr") == []
        element(browser, "#token").send_keys("bm8=", Keys.ENTER)
        until(browser, lambda: "not the server's token" in element(browser, "#status").text)
        element(browser, "#token").clear()
        element(browser, "#token").send_keys(serving.token, Keys.ENTER)
        until(browser, lambda: "VEST-1" in str(texts(browser, "#run-table tbody tr")))
        browser.get("about:blank")
        browser.get_log("browser")
