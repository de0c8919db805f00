"""Files of skops as teachers: what is loaded, what is refused."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from other_teachers import fit_pipeline, write_skops
from potstill.errors import PotstillError
from potstill.teachers.skops_file import check_skops, open_skops

TEXTS = ["a fine film", "the plot is dull", "a silly story and a bad ending"]


def shout(texts: list[str]) -> list[str]:
    """A function of the user's in a pipeline."""
    return [text.upper() for text in texts]


@pytest.mark.parametrize("model", [None, LinearSVC(), ComplementNB(), SGDClassifier(loss="log_loss", random_state=0)])
def test_it_decides_as_the_model_that_was_saved(tmp_path: Path, model: Any) -> None:
    pipeline = fit_pipeline(model)
    teacher = open_skops(write_skops(tmp_path / "model.skops", pipeline))
    assert [teacher.labels[row] for row in teacher(TEXTS).argmax(axis=1)] == pipeline.predict(TEXTS).tolist()


def test_its_identity_is_the_file_and_the_version_of_scikit_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_skops(tmp_path / "model.skops")
    before = open_skops(file).identity
    assert open_skops(file).identity == before
    monkeypatch.setattr("sklearn.__version__", "0.0.1")
    assert open_skops(file).identity != before
    monkeypatch.undo()
    write_skops(file, fit_pipeline(LinearSVC()))
    assert open_skops(file).identity != before


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (RandomForestClassifier(n_estimators=2), r"sklearn\.tree\._tree\.Tree"),
        (make_pipeline(FunctionTransformer(shout), HashingVectorizer(n_features=8)), r"\.shout"),
    ],
)
def test_types_that_are_not_trusted_are_named_and_not_loaded(tmp_path: Path, model: Any, name: str) -> None:
    file = tmp_path / "model.skops"
    skops.io.dump(fit_pipeline(model) if isinstance(model, RandomForestClassifier) else model, file)
    for opened in (check_skops, open_skops):
        with pytest.raises(PotstillError, match=rf"model\.skops: has .*{name}.*, which skops does not trust") as raised:
            opened(file)
        assert "\n" not in str(raised.value)


class Marker:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.skops"])
def test_a_pickle_is_refused_by_name_and_by_content(tmp_path: Path, name: str, protocol: int) -> None:
    file, marker = tmp_path / name, tmp_path / "marker"
    file.write_bytes(pickle.dumps(Marker(marker), protocol=protocol))
    is_known = protocol >= 2 or not name.endswith(".skops")
    reason = "a pickle, which runs any code" if is_known else "not a file of skops: write one with skops.io.dump"
    with pytest.raises(PotstillError, match=reason):
        open_skops(file)
    assert not marker.exists()


@pytest.mark.parametrize("compress", [0, 3, "gzip"])
def test_joblibs_forms_are_refused(tmp_path: Path, compress: Any) -> None:
    file = tmp_path / "model.bin"
    joblib.dump(fit_pipeline(), file, compress=compress)
    with pytest.raises(PotstillError, match="a pickle, which runs any code"):
        check_skops(file)


def test_the_way_out_of_a_pickle_makes_a_file_that_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "it's.pkl"
    joblib.dump(fit_pipeline(), file)
    with pytest.raises(PotstillError) as raised:
        open_skops(file)
    exec(str(raised.value).partition("write it anew: ")[2], {})
    assert np.isfinite(open_skops(tmp_path / "it's.skops")(TEXTS)).all()


def test_what_is_no_such_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "model.skops"
    with pytest.raises(PotstillError, match=r"model\.skops: no such file"):
        open_skops(file)
    file.write_bytes(b"")
    with pytest.raises(PotstillError, match="not a file of skops"):
        open_skops(file)
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("a.txt", "a")
    with pytest.raises(PotstillError, match=r"not a file of skops: .*no schema\.json"):
        open_skops(file)
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("schema.json", "{}")
    with pytest.raises(PotstillError, match="damaged"):
        open_skops(file)
    with pytest.raises(PotstillError, match="Is a directory"):
        check_skops(tmp_path)


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_half_a_file_is_one_line(tmp_path: Path, at: float) -> None:
    whole = write_skops(tmp_path / "model.skops").read_bytes()
    (tmp_path / "model.skops").write_bytes(whole[: int(at * len(whole))])
    with pytest.raises(PotstillError, match="not a file of skops"):
        open_skops(tmp_path / "model.skops")


def test_a_file_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.skops"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("schema.json", " " * 10_000_000)
    with pytest.raises(PotstillError, match="over 200 times as large when it is unpacked"):
        check_skops(file)
