"""Headless Chromium that opens a page and says what is wrong with it."""

import contextlib
import json
import os
import pathlib
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
THEMES = ("light", "dark")
WIDTHS = (400, 1400)
_HEIGHT = 900
# Of text and its background (WCAG 2.1, level AA).
_LEAST_CONTRAST = 4.5

_FIND_FAULTS = pathlib.Path(__file__).with_name("page_faults.js").read_text()


def path_of_chromium():
    """Chromium's path. Without it a test skips, but where CI is set, it fails."""
    found = [path for path in map(shutil.which, NAMES) if path]
    if not found or not shutil.which("chromedriver"):
        _miss("Chromium and chromedriver: apt-get install chromium chromium-driver")
    return found[0]


def _miss(what):
    reason = f"not installed: {what}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def chromium():
    """A selenium driver that keeps the console and the requests."""
    try:
        from selenium import webdriver as selenium
    except ImportError:
        _miss("selenium: pip install selenium")
    options = selenium.ChromeOptions()
    options.binary_location = path_of_chromium()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--hide-scrollbars"):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = selenium.ChromeService(shutil.which("chromedriver"))
    driver = selenium.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def faults_of(driver, path, *, theme, width):
    """What is wrong with a page: console messages, requests, what is cut off or illegible.

    Args:
        driver: see `chromium`.
        path: of an HTML file.
        theme: "light" or "dark", which the page is told that its reader prefers.
        width: of the window, in pixels.

    Returns:
        list of str.
    """
    send = driver.execute_cdp_cmd
    feature = {"name": "prefers-color-scheme", "value": theme}
    send("Emulation.setEmulatedMedia", {"features": [feature]})
    size = {"width": width, "height": _HEIGHT, "deviceScaleFactor": 1, "mobile": width < 500}
    send("Emulation.setDeviceMetricsOverride", size)
    for kind in ("browser", "performance"):
        driver.get_log(kind)  # of the page before
    driver.get(path.resolve().as_uri())
    faults = driver.execute_script(_FIND_FAULTS, _LEAST_CONTRAST)
    faults += [f"console: {entry['message']}" for entry in driver.get_log("browser")]
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if not url.startswith("data:") and url != path.resolve().as_uri():
                faults.append(f"request: {url}")
    return faults
