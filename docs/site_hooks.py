"""What MkDocs calls while it builds the site: the pages at the repository's root are pages of the site too.

In the repository ``docs/data.md`` links to ``../README.md``, and that to ``docs/data.md``. In the site all of them are
in one folder, so the links are rewritten.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
_LINK = re.compile(r"(?<=\]\()(?!\w+:)[^)#\s]+")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the root's pages."""
    for name in ROOT_PAGES:
        files.append(File.generated(config, name, abs_src_path=str(Path(config.docs_dir).parent / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page with its links as they are in the site."""
    return _LINK.sub(lambda link: in_site(link[0], page.file.src_uri), markdown)


def in_site(link: str, page: str) -> str:
    """A relative link, from the repository's folders to the site's.

    :param link: as the page has it.
    :param page: the page's path in the site.
    """
    source = page if page in ROOT_PAGES else f"docs/{page}"
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    return posixpath.relpath(target.removeprefix("docs/"), posixpath.dirname(page) or ".")
