"""``DistilledClassifier`` in scikit-learn: its checks, its meta-estimators, copies; a stand-in is distilled.

One test distills for good.
"""

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted, validate_data

import potstill
from other_teachers import fit_pipeline
from potstill import DistilledClassifier, PotstillError
from potstill.teachers.function import FunctionTeacher
from standins import POSITIVE, sentences

ROWS = sentences(90, 0)
TEXTS, LABELS = [text for text, _ in ROWS], [("bad", "good")[int(label)] for _, label in ROWS]


class OfNumbers(DistilledClassifier):
    """The classifier over rows of numbers, as scikit-learn's checks give them: each number becomes a word."""

    def fit(self, X: Any, y: Any) -> "OfNumbers":
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        super().fit(as_texts(validate_data(self, X)), y)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        check_is_fitted(self)
        return super().predict_proba(as_texts(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = True, False
        return tags


def as_texts(rows: NDArray[Any]) -> list[str]:
    """A word for each number, of its column and the number in steps; a word has letters alone."""
    steps = np.clip(np.round(2 * np.asarray(rows, dtype=np.float64)), -99, 99).astype(int) + 100
    digits = str.maketrans("0123456789", "abcdefghij")
    return [" ".join(f"{column}k{step}".translate(digits) for column, step in enumerate(row)) for row in steps]


def test_scikit_learns_checks_pass_over_rows_that_are_written_as_texts(quick: list[dict[str, Any]]) -> None:
    results = check_estimator(OfNumbers(threads=1), on_skip=None, on_fail=None)
    failed = {result["check_name"]: str(result["exception"]) for result in results if result["status"] == "failed"}
    assert failed == {}
    assert sum(result["status"] == "passed" for result in results) > 40


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_valid_tag_types,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_mixin_order,
        estimator_checks.check_estimators_unfitted,
    ],
)
def test_scikit_learns_checks_without_a_table_pass_as_it_is(check: Any) -> None:
    """``check_estimator`` itself skips whatever takes no table of numbers."""
    check("DistilledClassifier", DistilledClassifier())


def test_its_parameters_go_to_the_run(quick: list[dict[str, Any]], tmp_path: Path) -> None:
    DistilledClassifier(
        teacher=tmp_path,
        student=("cnn", "ngram"),
        effort="quick",
        random_state=7,
        out=str(tmp_path / "run"),
        options={"augment": False, "loss": "mse", "n_iter": 2},
    ).fit(TEXTS, LABELS)
    (given,) = quick
    assert (given["teacher"], given["out"]) == (tmp_path, str(tmp_path / "run"))
    assert (given["student"], given["effort"], given["seed"]) == (["cnn", "ngram"], "quick", 7)
    assert (given["augment"], given["loss"], given["n_iter"]) == (False, "mse", 2)
    assert given["valid"] == given["test"]
    assert {*given["texts"], *given["valid"][0]} == set(TEXTS) and not {*given["texts"]} & {*given["valid"][0]}


def test_what_its_predictions_are_read_from_is_removed_with_it(
    quick: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model = DistilledClassifier(threads=1).fit(TEXTS, LABELS)
    model.predict(TEXTS)
    assert len(list(tmp_path.iterdir())) == 1
    del model
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", [None, np.random.RandomState(3)])
def test_a_seed_that_is_none_or_a_generator_is_another_one_each_time(quick: list[dict[str, Any]], seed: Any) -> None:
    model = DistilledClassifier(random_state=seed)
    model.fit(TEXTS, LABELS)
    model.fit(TEXTS, LABELS)
    assert quick[0]["seed"] != quick[1]["seed"]


def series(library: str, values: list[Any]) -> Any:
    return pytest.importorskip(library).Series(values)


FORMS: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "objects": lambda values: np.array(values, dtype=object),
    "pandas": lambda values: series("pandas", values),
    "polars": lambda values: series("polars", values),
}


@pytest.mark.parametrize("form", FORMS)
def test_texts_and_labels_come_in_any_form(quick: list[dict[str, Any]], form: str) -> None:
    texts, labels = FORMS[form](TEXTS), FORMS[form](LABELS)
    model = DistilledClassifier(threads=1).fit(texts, labels)
    assert model.classes_.tolist() == ["bad", "good"]
    plain = DistilledClassifier(threads=1).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(model.predict_proba(texts), plain.predict_proba(TEXTS))
    assert model.score(texts, labels) > 0.9
    assert cross_val_score(model, texts, labels, cv=2).min() > 0.7


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((0, 1), "i"),
        ((10, 9), "i"),
        ((-1, -2), "i"),
        ((2.0, 1.0), "f"),
        ((False, True), "b"),
        (("no", "yes sir"), "U"),
        (("나쁨", "좋음"), "U"),
    ],
)
def test_labels_keep_their_type(quick: list[dict[str, Any]], values: tuple[Any, Any], kind: str) -> None:
    labels = [values[label == "good"] for label in LABELS]
    model = DistilledClassifier(threads=1).fit(TEXTS, labels)
    assert model.classes_.tolist() == sorted(values)
    predicted = model.predict(TEXTS)
    assert predicted.dtype.kind == model.classes_.dtype.kind == kind
    assert np.mean(predicted == np.array(labels)) > 0.9
    np.testing.assert_array_equal(model.classes_[model.predict_proba(TEXTS).argmax(axis=1)], predicted)


def test_it_works_in_scikit_learns_meta_estimators(quick: list[dict[str, Any]]) -> None:
    model = DistilledClassifier(threads=1)
    assert is_classifier(model)
    assert make_pipeline(FunctionTransformer(), model).fit(TEXTS, LABELS).score(TEXTS, LABELS) > 0.9
    assert cross_val_score(model, TEXTS, LABELS, cv=3, scoring="neg_log_loss").max() < 0
    assert set(cross_val_predict(model, TEXTS, LABELS, cv=3)) == {"bad", "good"}
    searched = GridSearchCV(model, {"student": ["cnn", "ngram"], "options": [{"augment": False}]}, cv=2, refit=True)
    assert searched.fit(TEXTS, LABELS).predict(TEXTS).shape == (90,)
    assert {given["student"][0] for given in quick[-5:]} == {"cnn", "ngram"}
    calibrated = CalibratedClassifierCV(model, cv=3).fit(TEXTS, LABELS)
    np.testing.assert_allclose(calibrated.predict_proba(TEXTS).sum(axis=1), 1)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("has_predicted", [True, False])
def test_a_copy_predicts_the_same(quick: list[dict[str, Any]], copied: Any, has_predicted: bool) -> None:
    model = DistilledClassifier(threads=1).fit(TEXTS, LABELS)
    expected = DistilledClassifier(threads=1).fit(TEXTS, LABELS).predict_proba(TEXTS)
    if has_predicted:
        model.predict(TEXTS)
    other = copied(model)
    del model
    np.testing.assert_array_equal(other.predict_proba(TEXTS), expected)


def test_another_process_predicts_the_same_from_a_pickle_alone(quick: list[dict[str, Any]], tmp_path: Path) -> None:
    model = DistilledClassifier(threads=1).fit(TEXTS, LABELS)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    code = (
        "import pickle, sys; model = pickle.load(open(sys.argv[1], 'rb'));"
        "print(*model.predict(sys.argv[2:])); assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.pkl"), *TEXTS[:3]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == model.predict(TEXTS[:3]).tolist()


def test_a_clone_is_not_fitted(quick: list[dict[str, Any]]) -> None:
    model = clone(DistilledClassifier(student="ngram").fit(TEXTS, LABELS))
    assert model.student == "ngram"
    for call in (model.predict, model.predict_proba):
        with pytest.raises(NotFittedError):
            call(TEXTS)
    with pytest.raises(NotFittedError):
        model.student_  # noqa: B018


def test_its_student_is_what_load_gives(quick: list[dict[str, Any]]) -> None:
    model = DistilledClassifier(threads=1).fit(TEXTS, [label == "good" for label in LABELS])
    assert isinstance(model.student_, potstill.Classifier)
    assert model.student_.predict(TEXTS).tolist() == [str(label) for label in model.predict(TEXTS)]


def test_the_package_imports_it_when_it_is_asked_for() -> None:
    code = (
        "import sys, potstill; assert 'sklearn' not in sys.modules; from potstill import DistilledClassifier;"
        "assert 'sklearn' in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "DistilledClassifier" in potstill.__all__
    with pytest.raises(AttributeError, match="module 'potstill' has no attribute 'distil'"):
        potstill.distil  # noqa: B018


@pytest.mark.parametrize(
    ("values", "columns"),
    [(("good", "bad"), [1, 0]), ((-1, -2), [1, 0]), ((9, 10), [0, 1])],
    ids=["names", "below 0", "10"],
)
def test_a_functions_scores_are_in_the_order_of_the_classes(
    quick: list[dict[str, Any]], values: tuple[Any, Any], columns: list[int]
) -> None:
    DistilledClassifier(teacher=first_good).fit(TEXTS, [values[label == "bad"] for label in LABELS])
    given = FunctionTeacher(quick[0]["teacher"], [str(value) for value in values])
    np.testing.assert_allclose(np.exp(given(["a"])), [np.array([0.75, 0.25])[columns]], rtol=1e-5)
    assert given.identity.startswith("first_good ")


def first_good(texts: list[str]) -> list[list[float]]:
    """Scores that do not depend on the text."""
    return [[0.75, 0.25] for _ in texts]


def by_words(texts: list[str]) -> list[list[float]]:
    """A teacher that knows the grammar."""
    shares = [0.9 if set(POSITIVE) & set(text.split()) else 0.1 for text in texts]
    return [[1 - share, share] for share in shares]


REAL: dict[str, Any] = {
    "augment": False,
    "student_init": "none",
    "n_frequent": 10,
    "student_epochs": 30,
    "student_batch_size": 16,
    "student_lr": 1e-2,
    "gold_epochs": 0,
    "reference_row": False,
}


def test_a_real_run_is_distilled(tiny_vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    options = REAL | {"embedding_path": str(tiny_vectors)}
    model = DistilledClassifier(teacher=by_words, student="cnn", threads=1, options=options)
    labels = [int(label == "good") for label in LABELS]
    scores = cross_val_score(model, TEXTS, labels, cv=2)
    assert scores.shape == (2,) and scores.min() > 0.6
    assert list(scratch.iterdir()) == []
    model.set_params(out=tmp_path / "run").fit(TEXTS, labels)
    assert (tmp_path / "run" / "report.html").is_file()
    student = potstill.load(tmp_path / "run" / "student")
    assert model.predict(TEXTS).tolist() == student.predict(TEXTS).astype(int).tolist()


def test_an_estimator_teaches_where_it_is_frozen(tiny_vectors: Path) -> None:
    options = REAL | {"embedding_path": str(tiny_vectors)}
    pipeline = fit_pipeline(labels=("bad", "good"))
    model = DistilledClassifier(teacher=FrozenEstimator(pipeline), student="cnn", threads=1, options=options)
    assert clone(model).fit(TEXTS, LABELS).score(TEXTS, LABELS) > 0.6
    thawed = DistilledClassifier(teacher=pipeline, student="cnn", options=options)
    with pytest.raises(PotstillError, match=r"Pipeline: not fitted, .* sklearn\.frozen\.FrozenEstimator"):
        clone(thawed).fit(TEXTS, LABELS)


def test_several_labels_come_back_as_they_were_given(tmp_path: Path, tiny_encoder: Path, tiny_vectors: Path) -> None:
    texts = [f"film {number} {'happy' * (number % 2)} {'scared' * (number % 3 == 0)}" for number in range(60)]
    lists = [["joy"] * (number % 2) + ["fear"] * (number % 3 == 0) for number in range(60)]
    matrix = np.array([["fear" in own, "joy" in own, False] for own in lists]).astype(int)
    options = {"analyzer": "whitespace", "n_iter": 1, "embedding_path": str(tiny_vectors), "student_steps": 40,
               "teacher_epochs": 1, "gold_epochs": 0, "reference_row": False}  # fmt: skip
    classifier = DistilledClassifier(teacher=str(tiny_encoder), student="ngram", options=options)
    flags = classifier.fit(texts, matrix).predict(texts)
    assert flags.shape == matrix.shape and set(np.unique(flags)) <= {0, 1} and not flags[:, 2].any()
    assert classifier.predict_proba(texts).shape == (60, 3) and classifier.classes_.tolist() == [0, 1, 2]
    named = clone(classifier).fit(texts, lists)
    assert named.classes_.tolist() == ["fear", "joy"]
    assert all(set(labels) <= {"fear", "joy"} for labels in named.predict(texts[:5]))
    with pytest.raises(ValueError, match="give it a column a label, with 1 or 0"):
        clone(classifier).fit(texts, matrix * 3)
