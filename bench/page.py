"""Measure how fast the Neptune server's page opens, and finds a run, with very many runs.

python -m bench.page [--runs 10000]

Fills a server with runs of two dozen fields and a curve each, and opens its page in Chromium
repeatedly. It measures the time until the newest runs and their curves are drawn, and the time from
a search until its only match is shown. The result goes to `results/page.json`. Needs the packages
chromium and chromium-driver.
"""

import argparse
import contextlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from bench.machine import load, machine
from neptune_server.command import PROJECT
from neptune_server.containers import open_project
from neptune_server.root_folder import open_root
from neptune_server.store import Store
from vestibular.core.files import write_json

RESULT = Path(__file__).parent / "results" / "page.json"
DRAWN = 6
"""Number of curves that the page draws at first."""
FIELDS = 20
"""Number of parameters with equal values in all runs, besides those that differ."""
STEPS = 10
WAIT_SECONDS = 120
POLL_SECONDS = 0.01


def fill(root: Path, runs: int) -> None:
    """Create a server's folder, and write finished runs into its database.

    Args:
        root: the folder, which does not exist yet.
        runs: number of runs; run n is named `trial n`.
    """
    with (
        open_root(root) as folder,
        contextlib.closing(Store(folder)) as store,
        store.change() as change,
    ):
        database = change.connection
        project = open_project(change, PROJECT)["id"]
        for number in range(1, runs + 1):
            run = f"run-{number}"
            database.execute(
                "INSERT INTO container (id, project, type, short_id, parent, created, modified,"
                " pinged) VALUES (?, ?, 'run', ?, ?, ?, ?, ?)",
                (run, project, f"VEST-{number}", project, *[1_700_000_000_000 + number] * 3),
            )
            fields: list[tuple[str, str, str | float]] = [
                ("sys/name", "string", f"trial {number}"),
                ("sys/tags", "stringSet", '["sweep", "night"]'),
                ("sys/failed", "bool", number % 7 == 0),
                ("parameters/learning_rate", "float", number / 1e6),
                ("parameters/seed", "int", number % 5),
            ]
            fields += [(f"parameters/other_{other}", "float", 1.0) for other in range(FIELDS)]
            database.executemany(
                "INSERT INTO attribute (container, name, type, value) VALUES (?, ?, ?, ?)",
                [(run, *field) for field in fields],
            )
            (series,) = database.execute(
                "INSERT INTO attribute (container, name, type) VALUES (?, 'loss', 'floatSeries')"
                " RETURNING id",
                (run,),
            ).fetchone()
            database.executemany(
                "INSERT INTO point VALUES (?, ?, 0, ?, NULL)",
                [(series, float(step), 1 / (step + 1) + number) for step in range(STEPS)],
            )
        database.execute("INSERT INTO last_number VALUES (?, ?)", (project, runs))


@contextlib.contextmanager
def serving(root: Path) -> Iterator[str]:
    """Run a server, and yield its address."""
    command = [sys.executable, "-m", "neptune_server", "--root", str(root), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            found = re.match(r"# (http\S+)/ shows", next(iter(process.stdout or ()), ""))
            if found is None:
                raise SystemExit("the server did not start")
            yield found[1]
        finally:
            process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def browsing(folder: Path) -> Iterator[webdriver.Chrome]:
    """Run Chromium without a window; its profile is in the folder."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        raise SystemExit("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def seconds_until(browser: webdriver.Chrome, act: Callable[[], None], script: str) -> float:
    """Perform an action, and return the seconds until a script's condition is true."""
    start = time.monotonic()
    act()
    WebDriverWait(browser, WAIT_SECONDS, POLL_SECONDS).until(
        lambda _: browser.execute_script(f"return {script}")
    )
    return time.monotonic() - start


def measure(browser: webdriver.Chrome, address: str, wanted: str) -> dict[str, float]:
    """Open the page, and search for a run by its name."""
    browser.get("about:blank")
    opened = seconds_until(
        browser,
        lambda: browser.get(f"{address}/"),
        f"document.querySelectorAll('#curve path.line').length === {DRAWN}",
    )
    found = seconds_until(
        browser,
        lambda: browser.find_element(By.ID, "find").send_keys(wanted),
        "document.querySelectorAll('#run-table tbody tr').length === 1",
    )
    return {"open_seconds": round(opened, 3), "find_seconds": round(found, 3)}


def main() -> None:
    """Fill a server, measure its page, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=int, default=10_000, help="number of runs (default: %(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=7, help="repeats (default: %(default)s)")
    arguments = parser.parse_args()
    wanted = f"trial {arguments.runs - 5}"
    with tempfile.TemporaryDirectory(prefix="page-") as name:
        folder = Path(name)
        fill(folder / "root", arguments.runs)
        with serving(folder / "root") as address, browsing(folder / "profile") as browser:
            rows = [measure(browser, address, wanted) for _ in range(arguments.repeats)]
            version = browser.capabilities["browserVersion"]
    result = {
        "machine": {**machine(), "chromium": version},
        "load": load(),
        "runs": arguments.runs,
        **{name: statistics.median(row[name] for row in rows) for name in rows[0]},
        "repeats": rows,
    }
    print({name: result[name] for name in ("runs", "open_seconds", "find_seconds", "load")})
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
