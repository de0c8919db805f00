"""The page to try the models, looked at in a real browser."""

from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

import potstill
from browsers import CONTRAST, console, element, elements, on_a_phone, with_scheme
from servers import Client, Serve


@pytest.fixture(scope="module")
def client(serve: Serve, student: Path, teacher: Path) -> Client:
    """A cascade whose student is always below the threshold."""
    return serve(f"small={student}", fallback=f"large={teacher}", below=1.0)


@pytest.fixture
def page(browser: Chrome, client: Client) -> Chrome:
    return opened(browser, client)


def opened(browser: Chrome, client: Client) -> Chrome:
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get(f"http://127.0.0.1:{client.port}/")
    console(browser)  # forget what was before
    return browser


def classify(page: Chrome, text: str, n_words_shown: int = 2) -> list[WebElement]:
    """Type a text, press Enter, and wait for the cards' words."""
    page.switch_to.active_element.send_keys(text, Keys.ENTER)
    WebDriverWait(page, 30).until(lambda _: len(elements(page, "article .words:not([hidden])")) == n_words_shown)
    return elements(page, "article")


def error_of(page: Chrome) -> str:
    return str(WebDriverWait(page, 30).until(lambda _: element(page, "[role=alert]").text))


def test_a_sentence_is_typed_and_every_model_shows_label_probabilities_time_and_words(
    page: Chrome, student: Path, teacher: Path
) -> None:
    text = "a 😀 b, c"
    cards = classify(page, text)
    for card, name, folder in zip(cards, ("small", "large"), (student, teacher), strict=True):
        model = potstill.load(folder)
        shares = sorted(zip(model.predict_proba([text])[0], model.classes_, strict=True), reverse=True)
        assert element(card, "h2").text == name and " ms" in element(card, ".time").text
        assert element(card, ".label").text == shares[0][1]
        rows = [row.text.replace("\n", " ") for row in elements(card, "table:first-of-type tr")[: len(shares)]]
        assert rows == [f"{label} {100 * share:.1f} %" for share, label in shares]
        assert element(card, ".words").text == text and elements(card, ".words mark")
        element(card, "summary").click()
        assert len(elements(card, "details tr")) == 5 and " points" in element(card, "details td").text
    assert "large is asked, and answers" in element(cards[0], ".note").text
    assert not element(cards[1], ".note").is_displayed()
    assert "leave-one-out" in element(page, "#legend").text
    assert console(page) == []  # no error, and nothing that the policy forbids


def test_it_needs_nothing_from_elsewhere(page: Chrome, client: Client) -> None:
    classify(page, "a b")
    loaded = page.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded and all(name.startswith(f"http://127.0.0.1:{client.port}/") for name in loaded)
    for path in ("/", "/docs"):
        policy = client.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "http" not in policy


def test_every_element_has_a_name_and_a_role_for_screen_readers(page: Chrome) -> None:
    field, button = element(page, "#text"), element(page, "#go")
    assert (field.aria_role, field.accessible_name) == ("textbox", "Text")
    assert (button.aria_role, button.accessible_name) == ("button", "Classify")
    assert len(elements(page, "h1")) == 1 and element(page, "html").get_attribute("lang") == "en"
    classify(page, "a b")
    status = element(page, "[role=status]").get_attribute("textContent") or ""
    assert status.startswith("small: ") and " large: " in status and " ms" in status
    assert all(element(card, "caption").get_attribute("textContent") for card in elements(page, "article"))


def test_the_keyboard_is_enough(page: Chrome) -> None:
    assert page.switch_to.active_element == element(page, "#text")
    page.switch_to.active_element.send_keys("a", Keys.SHIFT, Keys.ENTER, Keys.NULL, "b", Keys.TAB)
    assert element(page, "#text").get_property("value") == "a\nb" and not elements(page, "article")
    button = page.switch_to.active_element
    assert button == element(page, "#go") and button.value_of_css_property("outline-style") == "solid"
    button.send_keys(Keys.SPACE)
    WebDriverWait(page, 30).until(lambda _: len(elements(page, "details:not([hidden])")) == 2)
    assert page.switch_to.active_element == button  # the place is kept
    button.send_keys(Keys.TAB)
    assert page.switch_to.active_element.tag_name == "summary"


def test_a_refusal_is_shown_and_the_next_response_clears_it(page: Chrome) -> None:
    element(page, "#text").send_keys(" ", Keys.ENTER)
    assert "text 1 is empty" in error_of(page)
    classify(page, "a b")
    assert element(page, "[role=alert]").text == ""


def test_a_single_word_has_a_prediction_without_words(page: Chrome) -> None:
    element(page, "#text").send_keys("a", Keys.ENTER)
    WebDriverWait(page, 30).until(lambda _: len(elements(page, "article")) == 2)
    assert not element(page, "article .words").is_displayed() and not element(page, "#legend").is_displayed()


def test_a_text_stays_a_text(page: Chrome) -> None:
    text = "<img src=x onerror=alert(1)> a"
    assert element(classify(page, text)[0], ".words").text == text
    assert not elements(page, "img") and console(page) == []


def test_a_token_is_asked_for_and_then_used(browser: Chrome, serve: Serve, student: Path) -> None:
    page = opened(browser, serve(f"small={student}", token="s3cret"))
    assert not element(page, "#token").is_displayed()
    element(page, "#text").send_keys("a b", Keys.ENTER)
    assert "asks for a token" in error_of(page)
    field = page.switch_to.active_element
    assert field == element(page, "#token") and field.accessible_name == "Token"
    classify(page, "s3cret", n_words_shown=1)
    assert element(page, "[role=alert]").text == ""


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_it_fits_a_phone(page: Chrome, client: Client, path: str) -> None:
    on_a_phone(page)
    page.get(f"http://127.0.0.1:{client.port}{path}")
    if path == "/":
        classify(page, "a b " + "longword" * 20)
        assert element(page, "#go").size["height"] >= 44
        assert [card.rect["x"] for card in elements(page, "article")] == [20, 20]  # one below the other
    assert page.execute_script("return document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_day_and_by_night(page: Chrome, client: Client, scheme: str) -> None:
    with_scheme(page, scheme)
    classify(page, "a b c")
    ground = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(250, 248, 245)") == (scheme == "light")
    for selector in ("h1", "header p", "label", "textarea", "button", ".hint", ".time", ".label", ".note", "td", "a"):
        assert page.execute_script(CONTRAST, element(page, selector)) >= 4.5, selector
    page.get(f"http://127.0.0.1:{client.port}/docs")
    for selector in ("p", "dd", ".method", ".kind", "code", "a"):
        assert page.execute_script(CONTRAST, element(page, selector)) >= 4.5, selector
