"""The documentation site: every page is in its navigation and its search, every link and anchor leads somewhere."""

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))]


class Html(HTMLParser):
    """What one page of the site has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()  # scripts, styles, images
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.add(values.get("id", ""))
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        if "src" in values or tag == "link":
            self.loaded.add(values.get("src") or values["href"])


def in_site(page: Path) -> str:
    """Where a page of the repository is in the site."""
    return "index.html" if page.name == "README.md" else page.with_suffix(".html").as_posix().removeprefix("docs/")


def local_targets(path: str, links: set[str]) -> list[tuple[str, str]]:
    """Links within the site: a file of it, from its root, and an anchor."""
    parts = [urlsplit(unquote(link)) for link in links]
    folder = PurePosixPath(path).parent
    return [
        (os.path.normpath(folder / part.path) if part.path else path, part.fragment)
        for part in parts
        if not part.scheme and not part.netloc
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    variables = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Html]:
    return {path.relative_to(site).as_posix(): Html(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_the_navigation_of_the_first_page_leads_to_every_page(site: Path, pages: dict[str, Html]) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    navigation = home.partition("md-nav--primary")[2].partition("md-sidebar--secondary")[0]
    others = {in_site(page) for page in PAGES} - {"index.html"}
    assert not {page for page in others if f'href="{page}"' not in navigation}
    assert set(pages) == others | {"index.html"}


def test_no_link_and_no_anchor_is_dead(site: Path, pages: dict[str, Html]) -> None:
    dead = [
        (path, target, anchor)
        for path, page in pages.items()
        for target, anchor in local_targets(path, page.links)
        if not (site / target).exists() or (target in pages and anchor and anchor not in pages[target].anchors)
    ]
    assert not dead


def test_the_search_index_has_every_page(site: Path) -> None:
    entries = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    locations = {entry["location"].partition("#")[0] for entry in entries}
    assert locations == {in_site(page) for page in PAGES}


def test_nothing_is_loaded_from_elsewhere(pages: dict[str, Html]) -> None:
    elsewhere = {link for page in pages.values() for link in page.loaded if urlsplit(link).netloc}
    assert not elsewhere
