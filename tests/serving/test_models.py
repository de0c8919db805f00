"""How models are named and loaded for a server."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from potstill.errors import PotstillError
from potstill.progress import silent
from potstill.serving.limits import Limits
from potstill.serving.metrics import Metrics
from potstill.serving.models import Loader, Models, name_and_folder
from servers import relabelled


def open_models(*students: str, fallback: str | None = None, below: float | None = None) -> Models:
    return Loader(1, Limits(), Metrics(), silent).open(students, fallback, below)


def test_a_folder_has_its_own_name_unless_it_is_given_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run" / "a=b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "run")
    assert name_and_folder("runs/x/student") == ("student", Path("runs/x/student"))
    assert name_and_folder("small=runs/x/student") == ("small", Path("runs/x/student"))
    assert name_and_folder(".") == ("run", Path())
    assert name_and_folder("a=b") == ("a=b", Path("a=b"))  # there is such a folder


@pytest.mark.parametrize("argument", ["=folder", "name=", "="])
def test_half_a_name_is_refused(argument: str) -> None:
    with pytest.raises(PotstillError, match="give a model as NAME=FOLDER"):
        name_and_folder(argument)


def test_two_of_one_name_are_refused_the_fallback_counted(student: Path) -> None:
    with pytest.raises(PotstillError, match="two models are named 'a': write NAME=FOLDER"):
        open_models(f"a={student}", f"b={student}", fallback=f"a={student}", below=0.5)


def test_a_folder_that_is_no_models_is_named(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"no config\.json in it"):
        open_models(str(tmp_path))


def test_a_fallback_of_other_labels_is_refused(student: Path, tmp_path: Path) -> None:
    other = relabelled(student, tmp_path / "other", ["good", "bad"])
    with pytest.raises(PotstillError, match="give a fallback that knows the same labels"):
        open_models(f"a={student}", fallback=f"b={other}", below=0.5)


def test_every_student_has_the_fallback_and_it_can_be_named_itself(student: Path, teacher: Path) -> None:
    models = open_models(f"a={student}", f"b={student}", fallback=f"c={teacher}", below=0.5)
    assert [(model.name, model.fallback and model.fallback.model.name) for model in models] == [
        ("a", "c"), ("b", "c"), ("c", None),
    ]  # fmt: skip
    models.close()


@pytest.mark.parametrize("limit", ["max_texts", "max_characters", "max_body", "body_seconds"])
def test_a_limit_that_lets_nothing_through_is_refused(limit: str) -> None:
    with pytest.raises(PotstillError, match=f"--{limit}=0: must be more than 0"):
        Limits(**{limit: 0})


def test_a_model_whose_probabilities_are_no_numbers_is_not_served(student: Path, tmp_path: Path) -> None:
    folder = relabelled(student, tmp_path / "broken", ["no", "yes"])
    weights = load_file(folder / "model.safetensors")
    save_file({name: np.full_like(values, np.nan) for name, values in weights.items()}, folder / "model.safetensors")
    with pytest.raises(PotstillError, match="broken: its probabilities are not numbers; train it again"):
        open_models(str(folder))
