"""A loaded classifier among scikit-learn's, and in other processes."""

import copy
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import get_scorer
from sklearn.model_selection import cross_val_predict

import potstill
from potstill import Cascade, PotstillError
from standins import write_student

TEXTS = ["a b", "c", "d e f", "f"] * 6
LABELS = ["no", "yes sir", "no", "yes sir"] * 6


@pytest.fixture(scope="module", params=["classifier", "cascade"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A student with random weights, alone and in a cascade: a stand-in."""
    student = potstill.load(write_student(tmp_path_factory.mktemp("student")), threads=2)
    return student if request.param == "classifier" else Cascade(student, student, below=0.9)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_predicts_the_same(model: Any, copied: Any) -> None:
    np.testing.assert_array_equal(copied(model).predict_proba(TEXTS), model.predict_proba(TEXTS))


def test_a_pickle_is_the_absolute_path_and_the_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_student(tmp_path / "student")
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(potstill.load("student", threads=2, precision="fp32"))
    monkeypatch.chdir("/")
    assert len(pickled) < 1_000
    assert pickle.loads(pickled).__reduce__()[1] == (str(tmp_path / "student"), 2, "fp32")
    (tmp_path / "student" / "tokenizer.json").unlink()
    with pytest.raises(PotstillError, match=r"no tokenizer\.json in it"):
        pickle.loads(pickled)


def test_joblib_sends_it_to_its_processes(model: Any) -> None:
    parts = joblib.Parallel(2)(joblib.delayed(model.predict)(part) for part in (TEXTS[:2], TEXTS[2:]))
    assert np.concatenate(parts).tolist() == model.predict(TEXTS).tolist()


def test_its_labels_are_of_the_type_of_its_classes(model: Any) -> None:
    assert model.predict(TEXTS).dtype == model.classes_.dtype
    assert set(map(type, model.predict(TEXTS))) == set(map(type, model.classes_)) == {str}


def test_scikit_learn_takes_it_for_a_trained_classifier(model: Any) -> None:
    assert is_classifier(model) and clone(model) is model
    right = np.mean(model.predict(TEXTS) == np.array(LABELS))
    assert get_scorer("accuracy")(model, TEXTS, LABELS) == pytest.approx(right)
    assert np.isfinite(get_scorer("neg_log_loss")(model, TEXTS, LABELS))


def test_meta_estimators_take_it_frozen(model: Any) -> None:
    frozen = FrozenEstimator(model)
    calibrated = CalibratedClassifierCV(frozen).fit(TEXTS, LABELS)
    assert set(calibrated.predict(TEXTS)) <= set(LABELS)
    assert cross_val_predict(frozen, TEXTS, LABELS, cv=3).tolist() == model.predict(TEXTS).tolist()
    voting = VotingClassifier([("one", frozen), ("two", frozen)], voting="soft").fit(TEXTS, LABELS)
    np.testing.assert_allclose(voting.predict_proba(TEXTS), model.predict_proba(TEXTS), atol=1e-6)


def test_training_it_again_names_the_way_out(model: Any) -> None:
    with pytest.raises(PotstillError, match=r"trained already: give scikit-learn sklearn\.frozen\.FrozenEstimator"):
        cross_val_predict(model, TEXTS, LABELS, cv=3)
