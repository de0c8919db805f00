"""Students asked in JavaScript: on Node, and in the browser over a static server."""

import functools
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from potstill.commands.web import SCRIPTS

DRIVER = Path(__file__).parent / "web" / "driver.js"
NODE = shutil.which("node")
_RUN = "import('./driver.js').then(({ run }) => run(%s))"


def asked(folder: Path | str, *calls: list[Any], **options: Any) -> dict[str, Any]:
    """A student to load, and the calls of its methods: each its name and its arguments."""
    return {"folder": str(folder), "options": options, "calls": calls}


def served_folder(folder: Path) -> Path:
    """A folder with the scripts and the driver in it."""
    shutil.copytree(SCRIPTS, folder / "potstill")
    shutil.copyfile(DRIVER, folder / "driver.js")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "index.html").write_text("<!doctype html><title>Students</title><link rel='icon' href='data:,'>")
    return folder


def ask_node(folder: Path, students: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What they give on Node.

    :param folder: made by :func:`served_folder`.
    """
    if NODE is None:
        pytest.skip("node is missing: apt-get install nodejs")
    script = _RUN % "JSON.parse(require('fs').readFileSync(0))" + ".then((told) => console.log(JSON.stringify(told)))"
    done = subprocess.run([NODE, "-e", script], input=json.dumps(students), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


def ask_browser(page: Chrome, students: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What they give in a browser whose page is that of a :func:`served_folder`."""
    page.set_script_timeout(120)
    script = _RUN % "arguments[0]" + ".then(arguments[1], (error) => arguments[1]([{ error: String(error) }]))"
    told: list[dict[str, Any]] = page.execute_async_script(script, students)
    return told


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def static_server(folder: Path) -> Iterator[str]:
    """A server that knows nothing but files; gives its URL."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
