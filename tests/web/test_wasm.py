"""The built core in WebAssembly: of today's sources, small, and alone."""

import gzip
import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from javascript import NODE
from potstill.commands.web import SCRIPTS

CORE = Path(__file__).parents[2] / "core"
WASM = SCRIPTS / "potstill.wasm"


def test_it_was_built_from_the_sources_as_they_are() -> None:
    patterns = ("build_wasm.sh", "include/*.h", "src/*.cpp", "src/*.h")
    files = sorted(str(file.relative_to(CORE)) for pattern in patterns for file in CORE.glob(pattern))
    digest = hashlib.sha256(b"".join((CORE / file).read_bytes() for file in files)).hexdigest()
    recorded = (SCRIPTS / "wasm-sources.sha256").read_text().strip()
    assert digest == recorded, "the core has changed since potstill.wasm was built: make wasm"


def test_it_has_at_most_150_kb_with_gzip() -> None:
    assert len(gzip.compress(WASM.read_bytes(), 9)) <= 150_000


def test_it_asks_for_nothing_from_outside() -> None:
    if NODE is None:
        pytest.skip("node is missing: apt-get install nodejs")
    module = "new WebAssembly.Module(require('fs').readFileSync(process.argv[1]))"
    script = f"console.log(JSON.stringify(WebAssembly.Module.imports({module})))"
    done = subprocess.run([NODE, "-e", script, str(WASM)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
