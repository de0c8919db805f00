"""Students in JavaScript give the answers that Python gives: on Node and in Chromium."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver import Chrome

import potstill
from core_students import TEXTS
from javascript import ask_browser, ask_node, asked, served_folder, static_server
from potstill.runtime.core_graph import find_core

PRECISIONS = ("fp32", "int8")
MORE = ("Bad 😀 FILM", "e\u0301 ＡＢＣ soft\u00adhyphen", "<unk> [MASK] film", "film " * 700)  # noqa: RUF001
# In integers a number between two of them may be rounded to either; without the core Python runs another graph.
TOLERANCE = {"fp32": 1e-3, "int8": 1e-3 if find_core() else 2e-2}

Ask = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, core_students: list[Path]) -> Path:
    folder = served_folder(tmp_path_factory.mktemp("site"))
    for student in core_students:
        (folder / student.name).symlink_to(student)
    return folder


@pytest.fixture(params=["node", "chromium"])
def ask(request: pytest.FixtureRequest, site: Path) -> Any:
    if request.param == "node":
        return lambda students: ask_node(site, students)
    return request.getfixturevalue("page")


@pytest.fixture(scope="module")
def page(site: Path, browser: Chrome) -> Any:
    with static_server(site) as url:
        browser.get(url)
        yield lambda students: ask_browser(browser, students)


@pytest.mark.parametrize("worker", [False, True])
def test_every_student_gives_the_labels_and_logits_that_python_gives(
    ask: Ask, core_students: list[Path], worker: bool
) -> None:
    texts = [*TEXTS, *MORE]
    cases = [(folder, precision) for folder in core_students for precision in PRECISIONS]
    given = {
        folder: [(text, TEXTS[0]) if "pairs" in folder.name else text for text in texts] for folder in core_students
    }
    students = [
        asked(folder.name, ["logits", as_json(given[folder])], ["probabilities", as_json(given[folder])],
              ["predict", as_json(given[folder])], *(["logits", text] for text in as_json(given[folder])),
              precision=precision, worker=worker)
        for folder, precision in cases
    ]  # fmt: skip
    for (folder, precision), told in zip(cases, ask(students), strict=True):
        model = potstill.load(folder, precision=precision, threads=1)
        logits, probabilities, labels, *alone = told["results"]
        assert told["labels"] == model.classes_.tolist() and told["precision"] == precision
        message = f"{folder.name} {precision}"
        np.testing.assert_allclose(logits, model.logits(given[folder]), atol=TOLERANCE[precision], err_msg=message)
        np.testing.assert_allclose(
            probabilities, model.predict_proba(given[folder]), atol=TOLERANCE[precision], err_msg=message
        )
        assert labels == model.predict(given[folder]).tolist()
        assert alone == logits  # a text has the same logits alone and among others


def as_json(texts: list[Any]) -> list[Any]:
    return [text if isinstance(text, str) else {"text": text[0], "pair": text[1]} for text in texts]
