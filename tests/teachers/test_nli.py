"""Zero-shot teachers: the scores are those of transformers' pipeline; bad models, templates and labels are one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from other_teachers import write_nli
from potstill.errors import PotstillError
from potstill.tasks import find_task
from potstill.teachers.nli import NliTeacher, check_nli, open_nli

TEXTS = ["a fine film", "the plot is dull and the story is flat and the ending is silly", "warm", "a clever cast"]
LABELS = [("good", "a fine story"), ("bad", "a dull story"), ("other", "")]
HYPOTHESES = ["a fine story", "a dull story", "other"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> str:
    return str(write_nli(tmp_path_factory.mktemp("nli"), tiny_encoder))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "names",
    [("contradiction", "neutral", "entailment"), ("ENTAILMENT", "NEUTRAL", "CONTRADICTION"), ("entail", "not_entail")],
)
def test_its_scores_are_those_of_transformers_pipeline(
    tmp_path: Path, tiny_encoder: Path, names: tuple[str, ...]
) -> None:
    from transformers import pipeline

    folder = str(write_nli(tmp_path / "nli", tiny_encoder, names))
    expected = pipeline("zero-shot-classification", model=folder, device="cpu")
    teacher = open_nli(folder, LABELS, "This is {}.")
    scores = find_task().probabilities(teacher(TEXTS), 1.0)
    for text, row in zip(TEXTS, scores, strict=True):
        answer = expected(text, HYPOTHESES, hypothesis_template="This is {}.")
        by_label = dict(zip(answer["labels"], answer["scores"], strict=True))
        np.testing.assert_allclose(row, [by_label[hypothesis] for hypothesis in HYPOTHESES], atol=1e-4)


def test_labels_of_many_pairs_are_labelled_in_parts(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = open_nli(model, LABELS)(TEXTS)
    for most in (1, 7):
        monkeypatch.setattr("potstill.teachers.nli._PAIRS", most)
        np.testing.assert_allclose(open_nli(model, LABELS)(TEXTS), expected, atol=1e-4)
    assert open_nli(model, LABELS)([]).shape == (0, 3)


def test_other_words_for_a_label_are_another_teacher(model: str) -> None:
    first, second, third = (
        open_nli(model, labels, template)
        for labels, template in (
            (LABELS, "It is {}."),
            (LABELS, "About {}."),
            ([*LABELS[:2], ("other", "x")], "It is {}."),
        )
    )
    assert len({first.identity, second.identity, third.identity}) == 3
    assert np.abs(first(TEXTS) - second(TEXTS)).max() > 1e-3
    assert first.labels == third.labels == ["good", "bad", "other"]


def test_another_backend_gives_the_same_labels(model: str, caplog: pytest.LogCaptureFixture) -> None:
    exact, fast = open_nli(model, LABELS), open_nli(model, LABELS, backend="onnx")
    np.testing.assert_allclose(fast(TEXTS), exact(TEXTS), atol=1e-3)
    with caplog.at_level("INFO", logger="potstill"):
        open_nli(model, LABELS, backend="onnx-int8").check(TEXTS)
    assert "labelling in onnx-int8: logits off by" in caplog.text


def test_each_models_mask_token_is_read(model: str) -> None:
    teacher: NliTeacher = open_nli(model, LABELS)
    np.testing.assert_array_equal(teacher(["a <mask> cast"]), teacher(["a [MASK] cast"]))


def test_the_text_is_cut_and_not_the_hypothesis(model: str) -> None:
    long = "film " * 200
    teacher = open_nli(model, LABELS, n_ctx=60)
    assert np.abs(np.diff(teacher([long])[0])).min() > 1e-4  # the labels are still told apart
    np.testing.assert_array_equal(teacher([long]), teacher([long + "dull"]))


def test_a_description_that_is_a_sentence_has_one_full_stop(model: str) -> None:
    np.testing.assert_array_equal(
        open_nli(model, [("a", "a fine story."), ("b", "")])(TEXTS),
        open_nli(model, [("a", "a fine story"), ("b", "")])(TEXTS),
    )


@pytest.mark.parametrize(
    ("labels", "template", "message"),
    [
        (LABELS, "no place", r"--hypothesis='no place': it must have \{\} once"),
        (LABELS, "{} and {}", "it must have"),
        (LABELS, "{0}", "it must have"),
        (LABELS, "", "it must have"),
        (LABELS[:1], "{}", "a classifier needs two labels or more, not 1"),
        ([("a", "x"), ("b", "y"), ("c", " x ")], "{}", "the labels 'a' and 'c' have one hypothesis"),
        ([("a", "x"), ("x", "")], "{}", r"the labels 'a' and 'x' have one hypothesis \('x'\): describe"),
    ],
)
def test_bad_labels_and_templates_are_one_line(
    model: str, labels: list[tuple[str, str]], template: str, message: str
) -> None:
    for opened in (check_nli, open_nli):
        with pytest.raises(PotstillError, match=message):
            opened(model, labels, template)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("LABEL_0", "LABEL_1", "LABEL_2"), r"no label begins with 'entail' \(it has LABEL_0, LABEL_1, LABEL_2\)"),
        (("entailment", "entails"), "more than one label begins with 'entail'"),
    ],
)
def test_a_model_that_names_no_entailment_is_one_line(
    tmp_path: Path, tiny_encoder: Path, names: tuple[str, ...], message: str
) -> None:
    folder = str(write_nli(tmp_path / "nli", tiny_encoder, names))
    for opened in (check_nli, open_nli):
        with pytest.raises(PotstillError, match=message):
            opened(folder, LABELS)


@pytest.mark.parametrize("opened", [check_nli, open_nli])
def test_an_encoder_and_what_is_not_there_are_one_line(opened: Any, tiny_encoder: Path) -> None:
    with pytest.raises(PotstillError, match=r"not a classifier \(its architecture is \['BertModel'\]\)"):
        opened(str(tiny_encoder), LABELS)
    with pytest.raises(PotstillError, match="no/such/model: neither a folder here nor a model"):
        opened("no/such/model", LABELS)


def test_a_hypothesis_that_leaves_no_room_is_one_line(model: str) -> None:
    with pytest.raises(PotstillError, match=r"the hypothesis '.*' has \d+ tokens, 10 leave room for the text"):
        open_nli(model, [("a", "a very long description of a film"), ("b", "")], n_ctx=20)


def test_pairs_are_refused(model: str) -> None:
    with pytest.raises(PotstillError, match="reads single texts"):
        open_nli(model, LABELS).check([("a", "b")])
