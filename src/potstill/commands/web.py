"""A student as a folder that any static server serves: its page, which runs it in the browser.

The page is that of ``potstill serve``; the scripts and the core in WebAssembly are those of the npm package.
"""

import gzip
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from potstill.artifacts import TOKENIZER, atomic_folder, hash_file, read_json
from potstill.errors import PotstillError, require
from potstill.model_folder import ModelFolder
from potstill.tables import table

SCRIPTS = Path(__file__).parents[1] / "web"
_PAGE, _SERVICE_WORKER, _STUDENT = "index.html", "sw.js", "student"
_NOT_SERVED = (".d.ts", ".sha256")  # of SCRIPTS: what only developers need


@dataclass(frozen=True)
class WebFolder:
    """A folder that shows a student.

    :param files: by name, their bytes as they are and with gzip, as most servers send them.
    """

    folder: Path
    files: dict[str, tuple[int, int]]

    def __str__(self) -> str:
        rows = [(name, *(f"{size / 1000:,.1f}" for size in sizes)) for name, sizes in self.files.items()]
        plain, packed = (sum(sizes) / 1e6 for sizes in zip(*self.files.values(), strict=True))
        return "\n".join(
            [
                table(("file", "kB", "kB with gzip"), rows),
                "",
                f"{self.folder}: {plain:.2f} MB, {packed:.2f} MB with gzip",
                f"look at it with: python -m http.server --directory {self.folder}",
            ]
        )


def check_web_student(folder: Path) -> None:
    """Check that a model can be shown in a browser.

    :raises PotstillError: when it is a transformer, or reads morphemes.
    """
    require("serve", "jinja2")
    model = ModelFolder(folder)
    if not model.is_student:
        raise PotstillError(f"{folder}: a transformer, which does not run in a browser: give a student")
    if model.config.get("analyzer"):
        raise PotstillError(
            f"{folder}: this student reads morphemes, by the analyzer '{model.config['analyzer']}', which runs in "
            "Python only: train one with --analyzer=whitespace, or char-ngram"
        )


def write_web_folder(folder: Path, out: Path) -> WebFolder:
    """Write the folder of a student that has its files in 8-bit integers.

    :param folder: the student's.
    :param out: an older one is replaced when the new one is complete.
    :raises PotstillError: when the core cannot run the student, or something else is at ``out``.
    """
    from potstill.serving.pages import service_worker, static_page

    student = ModelFolder(folder).core_files("int8")
    if student is None:
        raise PotstillError(f"{folder}: this student has no plan for the core: only those that Potstill has run there")
    scripts = sorted(file for file in SCRIPTS.iterdir() if not file.name.endswith(_NOT_SERVED))
    sources = {file.name: file for file in scripts} | {f"{_STUDENT}/{file.name}": file for file in student}
    model = ModelFolder(folder)
    page = static_page(str(model.config["model_type"]).removeprefix("potstill-"), reads_pairs=bool(model.reads_pairs))
    hashes = {name: hash_file(file) for name, file in sources.items()}
    hashes[_PAGE] = hashlib.sha256(page.encode()).hexdigest()
    version = hashlib.sha256("".join(hashes.values()).encode()).hexdigest()[:16]
    with atomic_folder(out, {"files": hashes}) as work:
        (work / _STUDENT).mkdir(exist_ok=True)
        for name, file in sources.items():
            if file.name == TOKENIZER:  # a third of it is indentation
                compact = json.dumps(read_json(file), ensure_ascii=False, separators=(",", ":"))
                (work / name).write_text(compact, encoding="utf-8")
            else:
                shutil.copyfile(file, work / name)
        (work / _PAGE).write_text(page, encoding="utf-8")
        worker = service_worker(["./", *sources], version)
        (work / _SERVICE_WORKER).write_text(worker, encoding="utf-8")
    return WebFolder(out, {name: _sizes(out / name) for name in (_PAGE, _SERVICE_WORKER, *sources)})


def _sizes(file: Path) -> tuple[int, int]:
    content = file.read_bytes()
    return len(content), len(gzip.compress(content, 9))
