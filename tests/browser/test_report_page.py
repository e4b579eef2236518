"""The report in a real browser: Debian's Chromium, driven by Selenium, without a network."""

import json
import shutil
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.exam import NASTY, Exam, exam
from tests.support.patience import slowness

# one process draws the page and opens the browser, for all of these tests
pytestmark = pytest.mark.slow

SHARES = {"alpha": 0.8, "beta": 0.55, "gamma": 0.5, "delta-2": 0.2}
OPEN_ALL = "for (const node of document.querySelectorAll('details')) node.open = true"
DESK, PHONE = (1280, 800), (390, 844)


@pytest.fixture(scope="module")
def made() -> Exam:
    """An exam as large as FaQuAD with four candidates."""
    return exam(SHARES, count=900, leaks=True)


@pytest.fixture(scope="module")
def page(made: Exam, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report."""
    return made.write(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser without a window; nothing is downloaded to run it."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no Chromium here; with Debian: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    session = webdriver.Chrome(options=options, service=Service(driver))
    session.set_script_timeout(60)
    yield session
    session.quit()


Open = Callable[..., Any]


@pytest.fixture
def opened(chromium: Any, page: Path) -> Open:
    """Open the report in a window of a size and theme, the logs emptied before."""

    def load(size: tuple[int, int] = DESK, theme: str = "light") -> Any:
        chromium.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": theme}]},
        )
        chromium.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": size[0],
                "height": size[1],
                "deviceScaleFactor": 1,
                "mobile": size == PHONE,
            },
        )
        chromium.get("about:blank")
        for log in ("browser", "performance"):
            chromium.get_log(log)
        chromium.get(page.as_uri())
        return chromium

    return load


def choose(browser: Any, name: str, value: str) -> None:
    """Pick an option of one of the table's controls."""
    browser.execute_script(
        "const [name, value] = arguments; const control = document.getElementById(name);"
        "control.value = value; control.dispatchEvent(new Event('change'));",
        name,
        value,
    )


def search(browser: Any, text: str) -> None:
    """Type into the search field and wait for the table."""
    from selenium.webdriver.common.by import By

    field = browser.find_element(By.ID, "search")
    field.clear()
    browser.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        field,
        text,
    )
    time.sleep(0.3)


def found(browser: Any) -> int:
    """Return how many questions the table says it has."""
    return int(
        browser.execute_script("return document.getElementById('count').textContent").split()[0]
    )


def rows(browser: Any) -> list[str]:
    """Return the text of every row that is shown."""
    return list(
        browser.execute_script(
            "return [...document.querySelectorAll('#rows tbody tr')].map((row) => row.textContent)"
        )
    )


def plain(text: str) -> str:
    """Return a text in lower case without accents."""
    parts = unicodedata.normalize("NFD", text.lower())
    return "".join(part for part in parts if not unicodedata.combining(part))


def right(made: Exam, name: str, number: int) -> bool:
    return made.predictions[name][number].after.exact_match == 1.0


def test_nothing_is_fetched_and_nothing_fails(opened: Open, page: Path) -> None:
    """The page is the only request there is, and the console stays empty."""
    browser = opened()
    search(browser, "número 7")
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert asked == {page.as_uri()}
    blocked = browser.execute_async_script(
        "const done = arguments[0]; fetch('http://127.0.0.1:9/').then(() => done('fetched'),"
        "() => done('blocked'))"
    )
    assert blocked == "blocked"
    assert "Content Security Policy" in browser.get_log("browser")[0]["message"]


def test_the_first_screen_answers(opened: Open, made: Exam) -> None:
    """Which, how sure, why, at what cost: without scrolling, on a laptop's screen."""
    browser = opened()
    bottom, text = browser.execute_script(
        "const node = document.querySelector('.answers');"
        "return [node.getBoundingClientRect().bottom, document.querySelector('header').innerText]"
    )
    assert bottom < DESK[1] / 2
    assert f"{made.selection.winner} goes into production" in text
    for words in ("Which?", "How sure?", "Why?", "At what cost?", "95 % interval", "operations"):
        assert words in text


def test_what_the_data_holds_is_text(opened: Open) -> None:
    """Tags in questions, answers and contexts are shown, not obeyed."""
    browser = opened()
    search(browser, "numero 875?")
    (text,) = rows(browser)
    assert NASTY in text
    choose(browser, "order", "worst")
    browser.execute_script("document.querySelector('#rows summary').click()")
    time.sleep(0.1)
    context, marked = browser.execute_script(
        "return [document.querySelector('.context').textContent,"
        "document.querySelector('.context mark').textContent]"
    )
    assert NASTY in context
    assert marked == f"a ação {NASTY} 875"
    assert browser.execute_script("return document.getElementById('broken')") is None
    assert browser.get_log("browser") == []


def test_the_search_finds_what_it_should(opened: Open, made: Exam) -> None:
    """All words must occur, in question, references, answers or title; accents do not matter."""
    browser = opened()
    assert found(browser) == 900
    assert len(rows(browser)) == 25
    texts = [
        plain(
            " ".join(
                [question.id, question.title, question.question, *question.answers]
                + [answers[place].after.answer for answers in made.predictions.values()]
            )
        )
        for place, question in enumerate(made.questions)
    ]
    for text, at_least in (
        ("QUANTAS numero 8", 10),
        ("documento 99", 9),
        ("jose 899", 1),
        ("AÇÃO 1", 10),
        ("errado 17", 5),
        ("𝄞", 100),
        ("nowhere at all", 0),
    ):
        search(browser, text)
        expected = sum(all(part in one for part in plain(text).split()) for one in texts)
        assert found(browser) == expected >= at_least, text


def test_the_filters_show_who_was_right(opened: Open, made: Exam) -> None:
    """Only A, only B, both, none; for any two candidates."""
    browser = opened()
    names = list(made.selection.candidates)
    for a, b in ((0, 1), (1, 3), (2, 0)):
        choose(browser, "first", str(a))
        choose(browser, "second", str(b))
        one = [right(made, names[a], n) for n in range(900)]
        two = [right(made, names[b], n) for n in range(900)]
        any_right = [any(right(made, name, n) for name in names) for n in range(900)]
        for value, expected in (
            ("only-a", sum(x and not y for x, y in zip(one, two, strict=True))),
            ("only-b", sum(y and not x for x, y in zip(one, two, strict=True))),
            ("both", sum(x and y for x, y in zip(one, two, strict=True))),
            ("none", any_right.count(False)),
            ("all", 900),
        ):
            choose(browser, "which", value)
            assert found(browser) == expected, (a, b, value)
            assert len(rows(browser)) == min(25, expected)
    choose(browser, "word", "onde")
    assert found(browser) == sum(q.question.startswith("Onde") for q in made.questions)


def test_the_table_is_quick(opened: Open) -> None:
    """With 900 questions and four candidates a search takes a fraction of a second."""
    browser = opened()
    milliseconds = browser.execute_script(
        "const field = document.getElementById('which'); const start = performance.now();"
        "for (const value of ['none', 'both', 'only-a', 'only-b', 'all']) {"
        "field.value = value; field.dispatchEvent(new Event('change')); }"
        "return (performance.now() - start) / 5"
    )
    assert milliseconds < 300 * slowness()
    loaded = browser.execute_script(
        "const entry = performance.getEntriesByType('navigation')[0];"
        "return entry.domContentLoadedEventEnd"
    )
    assert loaded < 3000 * slowness()


def test_more_rows_come_on_request(opened: Open) -> None:
    """The button adds a page of rows and moves the focus to the first new one."""
    from selenium.webdriver.common.by import By

    browser = opened()
    button = browser.find_element(By.ID, "more")
    browser.execute_script("arguments[0].click()", button)
    assert len(rows(browser)) == 50
    place = "return [...document.querySelectorAll('#rows summary')].indexOf(document.activeElement)"
    assert browser.execute_script(place) == 25
    search(browser, "jose 899")
    assert not button.is_displayed()


def test_charts_speak_and_can_be_thinned_out(opened: Open, made: Exam) -> None:
    """Arrow keys and the pointer show a point's values; a candidate can be switched off."""
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.common.by import By

    browser = opened()
    tip = browser.find_element(By.ID, "tip")
    chart = browser.find_element(By.ID, "chart-cost")
    points = chart.find_elements(By.CSS_SELECTOR, '[aria-roledescription="point"]')
    assert len(points) == len(SHARES)
    first = next(iter(made.selection.candidates))
    score = made.selection.candidates[first].scores.f1.value
    chart.send_keys(Keys.ARROW_RIGHT)
    assert tip.text.startswith(f"{first}: F1 {score:.3f}")
    chart.send_keys(Keys.ARROW_RIGHT)
    assert not tip.text.startswith(f"{first}:")
    chart.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    time.sleep(0.6)
    ActionChains(browser).move_to_element(points[0]).perform()
    assert tip.text.startswith(f"{first}: F1")

    button = browser.find_element(By.CSS_SELECTOR, ".legend button")
    browser.execute_script("arguments[0].click()", button)
    assert button.get_attribute("aria-pressed") == "false"
    assert [point.is_displayed() for point in points] == [False, True, True, True]
    browser.execute_script("arguments[0].click()", button)
    assert all(point.is_displayed() for point in points)
    # each series of each curve, thinned
    curve = browser.find_elements(By.CSS_SELECTOR, '#chart-loss [aria-roledescription="point"]')
    assert 4 * (30 + 37) <= len(curve) <= 4 * 2 * 60


def test_the_keyboard_reaches_everything(opened: Open) -> None:
    """Tab goes through links, charts, controls and rows, each with a visible outline."""
    from selenium.webdriver import ActionChains, Keys

    browser = opened()
    seen = set()
    for _ in range(200):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        place, outline = browser.execute_script(
            "const node = document.activeElement; const style = getComputedStyle(node);"
            "return [node.id || node.className || node.tagName, style.outlineStyle]"
        )
        if place == "BODY":
            break
        seen.add(place)
        assert outline != "none", place
    assert {"skip", "chart-cost", "chart-loss", "search", "which", "first", "second"} <= seen


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_the_page_without_scrolling_sideways(opened: Open, theme: str) -> None:
    """Nothing is wider than the screen, with all details open."""
    browser = opened(PHONE, theme)
    browser.execute_script(OPEN_ALL)
    wide = browser.execute_script(
        "const wide = document.documentElement.scrollWidth; scrollTo(200, 0);"
        "return [wide, scrollX, innerWidth]"
    )
    assert wide == [390, 0, 390]


CONTRAST = """
const luminance = (colour) => {
  const [red, green, blue] = colour.map((value) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const numbers = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const ground = (node) => {
  const colour = numbers(getComputedStyle(node).backgroundColor);
  return colour[3] === 0 ? ground(node.parentElement) : colour.slice(0, 3);
};
const faults = [];
let checked = 0;
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].filter((child) => child.nodeType === Node.TEXT_NODE);
  const text = own.map((child) => child.textContent).join("").trim();
  if (!text || !node.checkVisibility() || ["SCRIPT", "OPTION"].includes(node.tagName)) continue;
  const style = getComputedStyle(node);
  const colour = numbers(node instanceof SVGElement ? style.fill : style.color).slice(0, 3);
  const [light, dark] = [luminance(colour), luminance(ground(node))].sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  checked += 1;
  if (ratio < 4.5) faults.push([ratio, node.outerHTML.slice(0, 200)]);
}
return [checked, faults];
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_every_text_stands_out(opened: Open, theme: str, size: tuple[int, int]) -> None:
    """Text has a contrast of 4.5 to 1 with what is behind it, in both themes.

    Source: Web Content Accessibility Guidelines 2.2, success criterion 1.4.3 and the
    definitions of relative luminance and contrast ratio.
    """
    browser = opened(size, theme)
    browser.execute_script(OPEN_ALL)
    checked, faults = browser.execute_script(CONTRAST)
    assert checked > 500
    assert faults == []
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in paper[4:-1].split(",")) / 3
    assert brightness > 200 if theme == "light" else brightness < 60
