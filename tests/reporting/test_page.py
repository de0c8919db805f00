"""The report, looked at in a real browser."""

from itertools import pairwise
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys

from browsers import CONTRAST, console, element, elements, on_a_phone, with_scheme
from potstill.reporting.report import ReportOptions, report_runs
from small_runs import SCRIPT


@pytest.fixture(scope="module")
def both(reported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run twice, side by side."""
    page = tmp_path_factory.mktemp("report") / "both.html"
    return report_runs(ReportOptions((reported, reported / "."), out=page)).out


@pytest.fixture
def page(browser: Chrome, both: Path) -> Chrome:
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get(both.as_uri())
    return browser


def test_nothing_is_complained_of_and_nothing_is_loaded(page: Chrome) -> None:
    assert console(page) == []
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_markup_in_data_is_shown_and_does_nothing(page: Chrome) -> None:
    assert not elements(page, "script") and SCRIPT in element(page, "#transfer").text


def test_it_fits_a_phone(page: Chrome, both: Path) -> None:
    on_a_phone(page)
    page.get(both.as_uri())
    assert page.execute_script("return document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_day_and_by_night(page: Chrome, scheme: str) -> None:
    with_scheme(page, scheme)
    ground = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(250, 248, 245)") == (scheme == "light")
    for selector in (
        ".brand", "h1", "nav a", ".verdict strong", ".tiles dt", ".against", ".models thead th", ".best td",
        ".baseline td", ".prose dd", "figcaption", "summary", "mark.masked", ".source", ".group small", "pre code",
    ):  # fmt: skip
        assert page.execute_script(CONTRAST, element(page, selector)) >= 4.5, selector


def test_every_element_has_a_name_and_a_role_for_screen_readers(page: Chrome) -> None:
    assert len(elements(page, "h1")) == 1 and element(page, "html").get_attribute("lang") == "en"
    levels = [int(heading.tag_name[1]) for heading in elements(page, "h1, h2, h3")]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for picture in elements(page, "figure > svg"):
        assert picture.aria_role in ("image", "img") and picture.accessible_name
    for table in elements(page, "table"):
        assert elements(table, "th[scope]")
    for region in elements(page, "[role=region]"):
        assert region.accessible_name or not region.is_displayed()  # one that is folded away


def test_the_keyboard_reaches_what_scrolls_and_what_opens(page: Chrome) -> None:
    reached = set()
    for _ in range(60):
        page.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(page.switch_to.active_element.tag_name)
    assert {"a", "div", "summary"} <= reached
