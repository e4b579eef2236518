"""The server's page, in a real browser."""

import itertools
import json
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from bench.page import fill
from tests.support.commands import ROOT
from tests.support.serving import Serving, assign, floats

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
    assert ["production" in version for version in versions] == [True, False, False]
    assert "gpt2-mini 0.753 0.803" in versions[0]
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
    assert sum(sizes) < 60_000


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


# ---- tables


def click(browser: webdriver.Chrome, selector: str, text: str) -> None:
    """Click the element of a selector that has a text."""
    for found in browser.find_elements(By.CSS_SELECTOR, selector):
        if found.text.strip(" ▲▼") == text:
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
            found.click()
            return
    raise AssertionError(f"no {text} in {texts(browser, selector)}")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with a model whose versions have as many fields as the mirror gives them."""
    with Serving(tmp_path_factory.mktemp("wide") / "root", "--port", "0") as serving:
        model = serving.create("model", key="QAPTBR")
        for number, (name, exact_match, f1) in enumerate(
            [("gpt2", 0.5, 0.7), ("gpt2-medium", 0.6, 0.6), ("opt-125m", 0.6, 0.8), ("none", 0, 0)]
        ):
            version = serving.create("modelVersion", parentId=model["id"])
            scores = [assign("model/exact-match", exact_match), assign("model/f1", f1)]
            serving.execute(
                version["id"],
                assign("model/candidate", name),
                assign("model/run", f"{number:016x}"),
                assign("model/model-name", f"demo/bases/{name}"),
                assign("model/registered", f"v0.{number}.0"),
                assign("model/exact-match-before", 0.0),
                assign("model/f1-before", 0.0123),
                assign("model/parameters", 355_000_000.0 - number),
                assign("model/trainable-parameters", 1_234_567.0),
                assign("model/loss", 1.2345),
                assign("model/last-loss", 0.9876),
                assign("model/validation-loss", 2.3456),
                assign("model/can-answer", "yes"),
                *(scores if name != "none" else []),
            )
        yield serving


def test_versions_are_sorted_by_a_click(wide: Serving, browser: webdriver.Chrome) -> None:
    """At first by exact match, then F1; by a click by any column, by another the other way."""
    browser.get(f"{wide.address}/")
    column = "#model-tables tbody td:nth-child(3)"
    until(browser, lambda: len(texts(browser, column)) == 4)
    heads = texts(browser, "#model-tables thead th")
    assert heads[:5] == ["Version", "Stage", "model-name", "exact-match ▼", "f1"]
    at_first = [f"demo/bases/{name}" for name in ("opt-125m", "gpt2-medium", "gpt2", "none")]
    # what a line may be broken at is not seen
    assert [text.replace("\u200b", "") for text in texts(browser, column)] == at_first
    at_first = texts(browser, column)
    click(browser, "#model-tables th button", "f1")
    assert texts(browser, column) == [at_first[0], at_first[2], at_first[1], at_first[3]]
    click(browser, "#model-tables th button", "f1")
    # what has no score comes last, whichever way
    assert texts(browser, column) == [at_first[1], at_first[2], at_first[0], at_first[3]]
    sorted_by = element(browser, "#model-tables th[aria-sort]")
    assert (sorted_by.text, sorted_by.get_attribute("aria-sort")) == ("f1 ▲", "ascending")
    click(browser, "#model-tables th button", "model-name")
    assert texts(browser, column) == sorted(at_first)
    # by keyboard, and the keyboard stays at the head that it was at
    press(browser, Keys.ENTER)
    assert texts(browser, column) == sorted(at_first, reverse=True)


def test_the_table_of_versions_fits_the_screen(wide: Serving, browser: webdriver.Chrome) -> None:
    """At 1,300 pixels no column is out of sight, with all that the mirror sends."""
    metrics = {"width": 1300, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(f"{wide.address}/")
        until(browser, lambda: len(texts(browser, "#model-tables tbody tr")) == 4)
        scroller = element(browser, "#model-tables .scroll")
        needed, there = browser.execute_script(
            "return [arguments[0].scrollWidth, arguments[0].clientWidth]", scroller
        )
        assert needed <= there
        heads = texts(browser, "#model-tables thead th")
        assert len(heads) == 16
        # a text that all share is left to the fields
        assert "can-answer" not in heads
        # no word is broken: a line for each part of a path, and one for a hash
        cells = {text for text in texts(browser, "#model-tables tbody td") if "gpt2-medium" in text}
        assert cells == {"demo/\u200bbases/\u200bgpt2-medium", "gpt2-medium"}
        tall = browser.execute_script(
            "return [...document.querySelectorAll('#model-tables tbody td')]"
            ".filter((cell) => cell.textContent.endsWith('…'))"
            ".map((cell) => { const range = document.createRange(); "
            "range.selectNodeContents(cell); return range.getClientRects().length; })"
        )
        assert tall == [1, 1, 1, 1]
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with ten thousand runs, written as the server writes them."""
    root = tmp_path_factory.mktemp("many") / "root"
    fill(root, 10_000)
    with Serving(root, "--port", "0") as serving:
        yield serving


def test_ten_thousand_runs_open(many: Serving, browser: webdriver.Chrome) -> None:
    """With the newest runs and their curves; how long it takes is a benchmark's matter."""
    browser.get(f"{many.address}/")
    until(browser, lambda: len(curves(browser)) == 6)
    assert texts(browser, "#run-table tbody td:nth-child(3)")[0] == "trial 10000"
    assert "10000 runs" in element(browser, "#status").text


def test_one_among_ten_thousand_is_found(many: Serving, browser: webdriver.Chrome) -> None:
    """By words of its columns, one of them added; the others wait for a click on Show more."""
    browser.get(f"{many.address}/")
    rows = "#run-table tbody tr"
    until(browser, lambda: len(texts(browser, rows)) == 100)
    element(browser, "#more-runs").click()
    assert len(texts(browser, rows)) == 200
    element(browser, "#find").send_keys("sweep 4321")
    assert [row.split()[1:4] for row in texts(browser, rows)] == [["trial", "4321", "ended"]]
    element(browser, "#find").clear()
    element(browser, "#find").send_keys("failed trial")
    until(browser, lambda: "trial 9996" in texts(browser, rows)[0])
    element(browser, "#column").click()
    until(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, "#field-names option")) > 20)
    element(browser, "#column").send_keys("parameters/seed", Keys.ENTER)
    until(browser, lambda: "seed\u00d7" in texts(browser, "#run-table th"))
    assert texts(browser, "#run-table tbody td:nth-last-child(2)")[0] == "0.009996"
    assert texts(browser, "#run-table tbody td:last-child")[0] == "1"
    click(browser, "#run-table th button.sort", "learning_rate")
    click(browser, "#run-table th button.sort", "learning_rate")
    assert texts(browser, "#run-table tbody td:nth-child(3)")[0] == "trial 7"
    # all of it is in the address, for whoever is sent it
    assert "column=parameters%2Flearning_rate&column=parameters%2Fseed" in browser.current_url
    element(browser, "#run-table button.remove").click()
    assert "learning_rate\u00d7" not in texts(browser, "#run-table th")


# ---- charts


def shown_at(browser: webdriver.Chrome, selector: str) -> list[str]:
    """Return the readouts of charts."""
    return texts(browser, f"{selector} .readout")


def open_runs(browser: webdriver.Chrome, serving: Serving, *runs: dict[str, Any]) -> None:
    """Open the page with these runs chosen."""
    browser.get("about:blank")
    browser.get(f"{serving.address}/#runs={','.join(run['shortId'] for run in runs)}")
    until(browser, lambda: texts(browser, "#run-table tbody tr"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server for runs of a test's own."""
    with Serving(tmp_path_factory.mktemp("drawn") / "root", "--port", "0") as serving:
        yield serving


def test_curves_that_span_decades_are_logarithmic(
    drawn: Serving, browser: webdriver.Chrome
) -> None:
    """Of themselves, until somebody wants them otherwise; others are linear."""
    run = drawn.create("run")
    drawn.execute(
        run["id"],
        floats("loss", [(step, 10.0**-step) for step in range(5)]),
        floats("accuracy", [(step, 0.5 + step / 10) for step in range(5)]),
    )
    open_runs(browser, drawn, run)
    until(browser, lambda: len(curves(browser)) == 1)
    box = element(browser, "#logarithmic")
    assert box.is_selected()
    # each decade takes as much room as the next
    heights = [float(place) for place in re.findall(r" ([\d.]+)", curves(browser)[0])]
    steps = [after - before for before, after in itertools.pairwise(heights)]
    assert max(steps) - min(steps) < 0.2
    drawn_by_decades = curves(browser)
    box.click()
    until(browser, lambda: curves(browser) != drawn_by_decades)
    heights = [float(place) for place in re.findall(r" ([\d.]+)", curves(browser)[0])]
    assert heights[1] - heights[0] > 50 * (heights[4] - heights[3])
    Select(element(browser, "#series")).select_by_value("accuracy")
    until(
        browser,
        lambda: "accuracy" in (element(browser, "#curve svg").get_attribute("aria-label") or ""),
    )
    assert not box.is_selected()


def chart_label(browser: webdriver.Chrome) -> str:
    """Return what the large chart says of itself."""
    return element(browser, "#curve svg").get_attribute("aria-label") or ""


def test_hardware_has_a_gap_where_nothing_ran(drawn: Serving, browser: webdriver.Chrome) -> None:
    """Between training and examination no line is drawn, and no value is read."""
    run = drawn.create("run")
    start = 1_700_000_000_000
    for name, values in (("cpu_percent", 50.0), ("memory_bytes", 1e9)):
        for first in (0, 3600):
            points = [
                {
                    "step": first + second,
                    "value": values + second,
                    "timestampMilliseconds": start + 1000 * (first + second),
                }
                for second in range(0, 300, 5)
            ]
            operation = {"path": f"monitoring/{name}", "logFloats": {"entries": points}}
            assert drawn.execute(run["id"], operation) == []
    open_runs(browser, drawn, run)
    path = "#hardware-charts path.line"
    until(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, path)) == 2)
    assert (element(browser, path).get_attribute("d") or "").count("M") == 2
    # one chart is pointed at, both are read
    element(browser, "#hardware-charts svg").send_keys(Keys.END)
    cpu, memory = shown_at(browser, "#hardware-charts")
    assert cpu == f"minutes 64.92: {run['shortId']} 345"
    assert memory.startswith(f"minutes 64.92: {run['shortId']} 1G")
    press(browser, Keys.HOME)
    assert [text.split(":")[0] for text in shown_at(browser, "#hardware-charts")] == [
        "minutes 0"
    ] * 2
    press(browser, Keys.ESCAPE)
    assert shown_at(browser, "#hardware-charts") == ["", ""]
    # half way nothing ran
    script = (
        "const svg = document.querySelector('#hardware-charts svg');"
        "const box = svg.getBoundingClientRect();"
        "svg.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + box.width / 2}))"
    )
    browser.execute_script(script)
    assert all("VEST" in text for text in shown_at(browser, "#hardware-charts"))
    labels = [text.split(":")[0].split()[1] for text in shown_at(browser, "#hardware-charts")]
    assert all(float(minutes) <= 5 or float(minutes) >= 60 for minutes in labels)


def test_one_pointer_reads_all_charts_of_a_step(drawn: Serving, browser: webdriver.Chrome) -> None:
    """The other series stand below the large one; pointing at either reads both."""
    run = drawn.create("run")
    drawn.execute(
        run["id"],
        floats("train/loss", [(step, 2.0 + step) for step in range(10)]),
        floats("train/rate", [(step, 0.5) for step in range(5)]),
    )
    open_runs(browser, drawn, run)
    until(browser, lambda: len(curves(browser)) == 1)
    element(browser, "#other-series summary").click()
    until(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "#small-charts path.line"))
    element(browser, "#small-charts svg").send_keys(Keys.END)
    label = run["shortId"]
    until(browser, lambda: shown_at(browser, "#curve") == [f"step 4: {label} 6"])
    assert shown_at(browser, "#small-charts") == [f"step 4: {label} 0.5"]
    # where a curve has ended it has no value
    element(browser, "#curve svg").send_keys(Keys.END)
    assert shown_at(browser, "#curve") == [f"step 9: {label} 11"]
    assert shown_at(browser, "#small-charts") == [""]


def test_parameters_that_differ_are_compared(drawn: Serving, browser: webdriver.Chrome) -> None:
    """What is the same in all chosen runs is left out; by a click all fields are compared."""
    runs = [drawn.create("run") for _ in range(3)]
    for number, run in enumerate(runs):
        drawn.execute(
            run["id"],
            assign("sys/name", f"trial {number}"),
            assign("parameters/seed", number),
            assign("parameters/epochs", 3),
            assign("evaluation/f1", number / 10),
            *([assign("parameters/warmup", "long")] if number == 2 else []),
        )
    open_runs(browser, drawn, *runs)
    row = "#comparison-table tbody tr"
    until(
        browser, lambda: texts(browser, row) == ["parameters/seed 0 1 2", "parameters/warmup long"]
    )
    heads = texts(browser, "#comparison-table thead th")
    assert heads == [
        "Parameter",
        *(f"trial {number} ({run['shortId']})" for number, run in enumerate(runs)),
    ]
    element(browser, "#all-fields").click()
    until(browser, lambda: texts(browser, row)[0] == "evaluation/f1 0 0.1 0.2")
    element(browser, "#none").click()
    until(browser, lambda: texts(browser, "#no-comparison") == ["Choose two runs or more."])


def test_only_the_newest_choice_is_shown(drawn: Serving, browser: webdriver.Chrome) -> None:
    """An answer that comes late, to what was chosen before, changes nothing."""
    run = drawn.create("run")
    drawn.execute(run["id"], floats("slow", [(0, 1), (1, 2)]), floats("fast", [(0, 5), (1, 3)]))
    open_runs(browser, drawn, run)
    until(browser, lambda: len(curves(browser)) == 1)
    browser.execute_script(
        """
const real = window.fetch;
window.late = 0;
window.fetch = async (address, ...rest) => {
  const answer = await real(address, ...rest);
  if (String(address).includes("name=slow")) {
    await new Promise((done) => setTimeout(done, 1500));
    window.late += 1;
  }
  return answer;
};
"""
    )
    for name in ("slow", "fast"):
        Select(element(browser, "#series")).select_by_value(name)
    until(browser, lambda: chart_label(browser).startswith("fast"))
    until(browser, lambda: browser.execute_script("return window.late") >= 1)
    time.sleep(0.3)
    assert chart_label(browser).startswith("fast")


def test_an_odd_run_hides_no_other(drawn: Serving, browser: webdriver.Chrome) -> None:
    """Tags that are no set, a name that is a number: the page shows all runs."""
    odd, good = drawn.create("run"), drawn.create("run")
    for name in ("sys/tags", "sys/name"):
        drawn.execute(odd["id"], {"path": name, "deleteAttribute": {}})
    drawn.execute(odd["id"], assign("sys/tags", "no set"), assign("sys/name", 1.5))
    drawn.execute(odd["id"], assign("run/started", "2026-01-02T03:04:05+00:00"))
    drawn.execute(odd["id"], assign("run/state", "finished"))
    open_runs(browser, drawn, odd, good)
    found = texts(browser, "#run-table tbody td:nth-child(2)")
    assert {odd["shortId"], good["shortId"]} <= set(found)
    row = texts(browser, "#run-table tbody tr")[found.index(odd["shortId"])]
    assert "finished" in row
    assert "26" in row, "the year in which it started"
    assert "follows the server" in element(browser, "#status").text
    assert browser.get_log("browser") == []


def test_the_table_of_runs_has_the_learning_rate_and_the_time_at_work(
    tmp_path: Path, browser: webdriver.Chrome
) -> None:
    """Without a wait that a run has left out; a column that was removed stays away."""
    with Serving(tmp_path / "root", "--port", "0") as serving:
        run = serving.create("run")
        serving.execute(
            run["id"],
            assign("run/started", "2026-11-26T22:22:00+00:00"),
            assign("run/ended", "2026-11-26T22:27:08+00:00"),
            assign("run/seconds", 54.4),
            assign("finetuning/train/learning_rate", 7.0),
            assign("parameters/train/learning_rate", 0.0125),
        )
        browser.get(f"{serving.address}/")
        until(browser, lambda: len(texts(browser, "#run-table tbody tr")) == 1)
        heads = texts(browser, "#run-table thead th")
        assert heads[-1].startswith("learning_rate")
        cells = texts(browser, "#run-table tbody td")
        assert cells[-1] == "0.0125"
        assert cells[heads.index("Duration")] == "54 s"
        element(browser, "#run-table button.remove").click()
        browser.refresh()
        until(browser, lambda: len(texts(browser, "#run-table tbody tr")) == 1)
        assert "learning_rate" not in " ".join(texts(browser, "#run-table thead th"))


def test_variants_are_told_apart_by_their_own_word(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    """Pushed after their end, runs say their experiment, and the settings in which they differ."""
    with Serving(tmp_path / "root", "--port", "0") as serving:
        for name, rate in (("hot", 0.02), ("cold", 0.01)):
            run = serving.create("run", customId=name)
            serving.execute(
                run["id"],
                assign("sys/name", "gpt2-tiny"),
                assign("parameters/train/learning_rate", rate),
                assign("run/experiment", name),
                assign("run/differing_settings", f"train.learning_rate: {rate}"),
            )
        browser.get(f"{serving.address}/")
        until(browser, lambda: len(texts(browser, "#run-table tbody tr")) == 2)
        heads = [head.rstrip("\u00d7").strip() for head in texts(browser, "#run-table th")]
        assert heads[-2:] == ["experiment", "differing_settings"]
        rows = texts(browser, "#run-table tbody tr")
        assert [row.split()[-3:] for row in rows] == [
            ["cold", "train.learning_rate:", "0.01"],
            ["hot", "train.learning_rate:", "0.02"],
        ]
