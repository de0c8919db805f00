"""Sentence Transformers folders with a head: what is opened, whose labels, what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression, Ridge

from other_teachers import write_headed
from potstill.errors import PotstillError
from potstill.teachers.head import check_head, has_head, open_head

pytest.importorskip("sentence_transformers", reason="needs the extra setfit")

TEXTS = ["a fine film", "the plot is dull and the story is flat", "a [MASK] cast"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A folder whose head was trained on numbers. Copy it."""
    return write_headed(tmp_path_factory.mktemp("head") / "headed", tiny_encoder, (0, 1))


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "headed"
    shutil.copytree(written, copy)
    return copy


def settings(folder: Path, **fields: Any) -> None:
    (folder / "config_setfit.json").write_text(json.dumps(fields))


def test_it_is_the_library_with_the_head(folder: Path) -> None:
    from sentence_transformers import SentenceTransformer

    vectors = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, show_progress_bar=False)
    expected = np.log(skops.io.load(folder / "model_head.skops").predict_proba(vectors))
    np.testing.assert_allclose(open_head(folder)(TEXTS), expected, atol=1e-4)


def test_vectors_are_normalised_where_its_settings_say_so(folder: Path) -> None:
    plain = open_head(folder)(TEXTS)
    settings(folder, normalize_embeddings=True)
    assert np.abs(open_head(folder)(TEXTS) - plain).max() > 0.01


def test_its_settings_name_its_labels(folder: Path) -> None:
    assert open_head(folder).labels == ["0", "1"]
    settings(folder, labels=["good", "bad"])
    named = open_head(folder)
    assert named.labels == ["good", "bad"]
    np.testing.assert_array_equal(open_head(folder, ["bad", "good"])(TEXTS), named(TEXTS)[:, ::-1])
    settings(folder, labels=[1, 0])  # the names are the numbers, in another order
    assert open_head(folder).labels == ["0", "1"]


@pytest.mark.parametrize(("labels", "message"), [("no", "no list of names"), (["a"], "its labels are a, the head's")])
def test_settings_that_do_not_fit_are_one_line(folder: Path, labels: object, message: str) -> None:
    settings(folder, labels=labels)
    with pytest.raises(PotstillError, match=rf"config_setfit\.json: .*{message}"):
        open_head(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "model_head.skops", "1_Pooling/config.json", "tokenizer.json"])
def test_its_identity_has_each_file(folder: Path, name: str) -> None:
    before = open_head(folder).identity
    assert open_head(folder).identity == before
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    assert open_head(folder).identity != before


def test_a_folder_with_a_head_is_known(folder: Path, tiny_encoder: Path) -> None:
    assert has_head(folder) and not has_head(tiny_encoder) and not has_head(Path("no/such/folder"))
    (folder / "model_head.skops").rename(folder / "model_head.pkl")
    assert has_head(folder)


def test_a_pickled_head_is_refused_with_a_way_out_that_works(folder: Path) -> None:
    safe = folder / "model_head.skops"
    joblib.dump(skops.io.load(safe), folder / "model_head.pkl")
    safe.unlink()
    for opened in (check_head, open_head):
        with pytest.raises(PotstillError, match=r"model_head\.pkl: a pickle, which runs any code") as raised:
            opened(folder)
    exec(str(raised.value).partition("write it anew: ")[2], {})
    assert np.isfinite(open_head(folder)(TEXTS)).all()


def test_modules_of_its_own_are_refused(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "modeling_mine.Pooling"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(PotstillError, match=r"has modeling_mine\.Pooling, which is no module of Sentence Transformers"):
        open_head(folder)


@pytest.mark.parametrize("content", ["{}", "[1]", "[", ""])
def test_a_damaged_list_of_modules_is_one_line(folder: Path, content: str) -> None:
    (folder / "modules.json").write_text(content)
    with pytest.raises(PotstillError, match=r"modules\.json: not a"):
        check_head(folder)


def test_a_head_that_is_no_classifier_is_one_line(folder: Path) -> None:
    skops.io.dump(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]), folder / "model_head.skops")
    with pytest.raises(PotstillError, match=r"model_head\.skops: a Ridge without predict_proba"):
        open_head(folder)


def test_a_head_of_other_vectors_is_one_line(folder: Path) -> None:
    skops.io.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), folder / "model_head.skops")
    with pytest.raises(PotstillError, match="failed with ValueError for the text 'a fine film'"):
        open_head(folder).check(TEXTS)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_damaged_weights_are_one_line(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:100])
    with pytest.raises(PotstillError, match="headed: ") as raised:
        open_head(folder)(TEXTS)
    assert "\n" not in str(raised.value)


def test_no_head_is_one_line(tiny_encoder: Path) -> None:
    with pytest.raises(PotstillError, match=r"no modules\.json with model_head\.skops beside it"):
        open_head(tiny_encoder)
