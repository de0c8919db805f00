"""The model configurations: what a bad one says."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.cli import main
from potstill.corpus.characters import build_character_tokenizer
from potstill.corpus.words import build_tokenizer
from potstill.errors import PotstillError
from potstill.recipe.configs import StudentTextConfig, read_model_config
from potstill.training.fitting import new_student
from potstill.training.vocabulary import Vocabulary

CNN = {"emb_class": "glove", "enc_class": "cnn"}


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"emb_class": "glove"}, "needs emb_class and enc_class"),
        (CNN | {"n_ctx": 0}, "n_ctx is 0: a text has at least 1 token"),
        (CNN | {"n_ctx": "100"}, "n_ctx is 100: a text has"),
        (CNN | {"dropout": 2}, "dropout is 2: a probability"),
        ({"emb_class": "bert", "enc_class": "cls", "dropout": 1}, "dropout is 1: a probability"),
        ({"emb_class": "bert", "enc_class": "cnn"}, "enc_class 'cnn': a teacher's is cls"),
        (
            {"emb_class": "characters", "enc_class": "char-ngram", "token_emb_dim": 3},
            "token_emb_dim is for word vectors",
        ),
        ({"emb_class": "bert", "enc_class": "cls", "depth": 3}, "unknown depth; known: dropout"),
    ],
)
def test_a_bad_configuration_is_one_line_that_names_the_file(
    fields: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(fields))
    with pytest.raises(PotstillError, match=f"config.json: {complaint}"):
        read_model_config(tmp_path / "config.json")


def test_a_text_of_characters_may_be_ten_times_as_long(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for emb_class, n_ctx in (("glove", 100), ("characters", 1000)):
        path.write_text(json.dumps({"emb_class": emb_class, "enc_class": "char-ngram"}))
        config = read_model_config(path)
        assert isinstance(config, StudentTextConfig)
        assert (config.n_ctx, config.reads_characters) == (n_ctx, emb_class == "characters")


@pytest.mark.parametrize(
    "command",
    ["preprocess --embedding_path=vectors.txt", "train --no-embedding_trainable --save_path=student"],
)
def test_word_vectors_are_no_matter_of_characters(
    command: str, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_data, tmp_path / "data")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"emb_class": "characters", "enc_class": "char-ngram"}))
    shared = [f"--config={config}", f"--data_dir={tmp_path / 'data'}", "--quiet"]
    main(["preprocess", *shared])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), *shared])
    assert ended.value.code == 2 and "a student of characters has none: leave it out" in capsys.readouterr().err


def test_a_student_is_not_given_words_for_characters_nor_characters_for_words() -> None:
    words = Vocabulary(build_tokenizer(["a"], lower=True), np.zeros((4, 8), dtype=np.float32))
    characters = Vocabulary(build_character_tokenizer("a", lower=True), None)
    for name, vocabulary, reads in (("char-ngram", words, "characters"), ("cnn", characters, "words")):
        with pytest.raises(PotstillError, match=f"the student '{name}' reads {reads}, which the text is not split"):
            new_student(name, {}, vocabulary, ["0", "1"], embedding_trainable=True, seed=0)


@pytest.mark.parametrize("field", ["vocab_size", "embedding_width", "analyzer", "depth"])
def test_a_student_takes_no_field_that_its_data_gives(field: str) -> None:
    vocabulary = Vocabulary(build_tokenizer(["a"], lower=True), np.zeros((4, 8), dtype=np.float32))
    with pytest.raises(PotstillError, match=f"the student 'cnn' has no parameter '{field}'"):
        new_student("cnn", {field: 3}, vocabulary, ["0", "1"], embedding_trainable=True, seed=0)
