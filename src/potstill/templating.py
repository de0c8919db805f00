"""HTML pages without any outside resource: opening jinja2 templates, and naming what is inline in a page's policy."""

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def open_templates(folder: Path, *, autoescape: bool = True) -> "Environment":
    """The templates of a folder; a name that they use and nobody gave is an error.

    :param autoescape: as HTML, whatever they show.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def name_inline(source: str) -> str:
    """How a Content-Security-Policy names an inline style or script: by its hash, so that nothing injected runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
