"""Reports as a browser shows them: on a phone and on a desktop, light and dark."""

import itertools

import pytest
from support import browser, reports
from support.tiny_models import lookup, quantized

import keras_dc as dc

WINDOWS = list(itertools.product(browser.THEMES, browser.WIDTHS))


@pytest.fixture(scope="module")
def driver():
    with browser.chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("full") / "report.html"
    reports.full_report().save(path)
    return path


@pytest.mark.parametrize(("theme", "width"), [*WINDOWS, ("light", 320), ("dark", 1000)])
def test_nothing_is_wrong_with_a_full_report(driver, page, theme, width):
    assert browser.faults_of(driver, page, theme=theme, width=width) == []
    background = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    is_dark = sum(map(int, background.strip("rgb()").split(","))) < 3 * 128
    assert is_dark == (theme == "dark")


def test_names_are_shown_as_they_are(driver, page):
    browser.faults_of(driver, page, theme="light", width=1400)
    assert driver.title == f"{reports.NASTY}: compression report"
    shown = driver.execute_script("return document.body.innerText")
    assert f"{reports.NASTY}/a_very_long_name/" in shown
    labels = driver.execute_script(
        "return [...document.querySelectorAll('svg text')].map((text) => text.textContent)"
    )
    assert reports.NASTY[-31:] in "".join(labels)


def test_each_mask_is_a_picture(driver, page):
    browser.faults_of(driver, page, theme="light", width=1400)
    sizes = driver.execute_script(
        "return [...document.querySelectorAll('.mask')]"
        ".map((image) => [image.naturalHeight, image.naturalWidth])"
    )
    assert sizes == [[60, 200], [100, 60], [10, 100]]


@pytest.mark.parametrize(("theme", "width"), WINDOWS)
@pytest.mark.parametrize("model", [quantized, lookup])
def test_nothing_is_wrong_with_a_report_of_a_file_alone(driver, tmp_path, model, theme, width):
    path = tmp_path / "report.html"
    dc.report(dc.compress(model().serialize()), filepath=path)
    assert browser.faults_of(driver, path, theme=theme, width=width) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<table><tr><td><p style='width: 2000px'>wide</table>", "the page is"),
        ("<table><tr><td><p style='width: 2000px'>wide</table>", "outside: "),
        (
            "<div style='overflow: hidden'><table><tr><td style='white-space: nowrap'>"
            + "wide " * 400
            + "</table></div>",
            "cut off: DIV",
        ),
        (
            "<table style='table-layout: fixed; width: 90px'><tr><td>unbreakable_and_wide</table>",
            "wider than its cell: TD",
        ),
        ("<svg width=50><text x=40 y=20>outside</text></svg>", "outside its plot: "),
        ("<p style='color: #aaa; background: #bbb'>pale", "contrast 1."),
        ("<script>console.error('broken')</script>", "console: "),
        ("<script>nothing()</script>", "console: "),
        ("<img src='http://127.0.0.1:9/x.png'>", "request: http://127.0.0.1:9/x.png"),
        ("<link rel='stylesheet' href='x.css'>", "request: file:"),
    ],
)
def test_what_is_wrong_with_a_page_is_found(driver, tmp_path, body, fault):
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><link rel='icon' href='data:,'><main>{body}</main>")
    found = browser.faults_of(driver, path, theme="light", width=400)
    assert any(each.startswith(fault) for each in found), found


def test_without_chromium_a_test_skips_but_not_in_ci(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        browser.path_of_chromium()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        browser.path_of_chromium()
