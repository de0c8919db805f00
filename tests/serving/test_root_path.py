"""A server behind a reverse proxy that has it below a path of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.support.ui import WebDriverWait

from browsers import console, element, elements
from potstill.commands.serve import ServeOptions
from potstill.errors import PotstillError
from servers import Client, Serve, proxy

PREFIX = "/apps/clf"


@pytest.fixture(scope="module", params=["strips, not told", "strips, told", "keeps, told"])
def proxied(request: pytest.FixtureRequest, serve: Serve, student: Path) -> Iterator[Client]:
    """The proxy strips the path or keeps it, and the server is told it or not."""
    strips, told = request.param.split(", ")
    server = serve(f"small={student}", root_path=PREFIX if told == "told" else "")
    with proxy(server, PREFIX, strips=strips == "strips") as client:
        yield client


def test_the_pages_and_their_links_work_below_the_path(proxied: Client, browser: Chrome) -> None:
    start = f"http://127.0.0.1:{proxied.port}{PREFIX}/"
    browser.get(start)
    console(browser)
    element(browser, "#text").send_keys("a b", Keys.ENTER)
    WebDriverWait(browser, 30).until(lambda _: len(elements(browser, "article .words:not([hidden])")) == 1)
    assert element(browser, "[role=alert]").text == "" and console(browser) == []
    element(browser, "footer a").click()
    assert browser.current_url == f"{start}docs" and "The API" in element(browser, "header p").text
    links = {link.text: link.get_attribute("href") for link in elements(browser, "header a")}
    assert links == {"openapi.json": f"{start}openapi.json", "by hand": start}
    assert proxied.get(f"{PREFIX}/openapi.json").json["info"]["title"] == "Potstill"


def test_the_description_and_the_page_of_the_api_name_the_path(serve: Serve, student: Path) -> None:
    for root_path in ("", PREFIX):
        server = serve(f"small={student}", root_path=root_path)
        servers = server.get("/openapi.json").json.get("servers")
        assert servers == ([{"url": PREFIX}] if root_path else None)
        assert f"<code>{root_path}/predict</code>" in server.get("/docs").text
        assert server.get("/none").json == {"error": f"there is no such path: {root_path}/docs lists them"}


def test_a_token_is_asked_for_with_and_without_the_path(serve: Serve, student: Path) -> None:
    server = serve(f"small={student}", token="s3cret", root_path=PREFIX)
    for prefix in ("", PREFIX):
        for path in ("/health", "/docs", "/openapi.json", "/"):
            assert server.get(prefix + path).status == 200
        assert server.post(f"{prefix}/predict", {"text": "a"}).status == 401
        assert server.post(f"{prefix}/predict", {"text": "a"}, authorization="Bearer s3cret").status == 200
    assert server.get(f"{PREFIX}{PREFIX}/health", authorization="Bearer s3cret").status == 404
    assert server.get(f"{PREFIX}health", authorization="Bearer s3cret").status == 404
    reply = server.get("/metrics", authorization="Bearer s3cret").text
    assert 'potstill_requests_total{path="/predict",status="200"} 2.0' in reply and PREFIX not in reply


def test_redirections_name_neither_scheme_nor_host(serve: Serve, student: Path) -> None:
    server = serve(f"small={student}", root_path=PREFIX)
    for path, location in (
        (PREFIX, f"{PREFIX}/"),
        (f"{PREFIX}/docs/?a=b", f"{PREFIX}/docs?a=b"),
        ("/docs/", f"{PREFIX}/docs"),
    ):
        reply = server.get(path)
        assert (reply.status, reply.headers["location"]) == (307, location)
    assert serve(f"small={student}").get("/docs/").headers["location"] == "/docs"


@pytest.mark.parametrize("path", ["clf", "/clf?x", "http://x/clf", "/a b", "//clf"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(PotstillError, match=r"--root_path=.*: give the path of an address, such as /clf"):
        ServeOptions(("s",), root_path=path)
