"""The recipe's Korean commands as they are written, with ``python X.py`` written ``potstill X``, on small stand-ins."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import potstill
from potstill.cli import main
from potstill.corpus.examples import read_examples

CONFIGS = Path(__file__).parents[2] / "configs"
ACCURACY = re.compile(r"^\[Accuracy\] : [01]\.\d{4}, +\d+/ +12$", re.MULTILINE)

TEACHER = """
preprocess --config=configs/config-bert-cls.json --bert_model_name_or_path=./embeddings/pytorch.all.dha.2.5m_step --data_dir=./data/clova_sentiments_morph
train --config=configs/config-bert-cls.json --bert_model_name_or_path=./embeddings/pytorch.all.dha.2.5m_step --bert_output_dir=bert-checkpoint --lr=2e-5 --epoch=30 --batch_size=64 --data_dir=./data/clova_sentiments_morph --use_transformers_optimizer --warmup_epoch=0 --weight_decay=0.0
evaluate --config=configs/config-bert-cls.json --data_dir=data/clova_sentiments_morph --bert_output_dir=bert-checkpoint
"""  # noqa: E501
TRANSFER_SET = """
augment_data --input data/clova_sentiments/train.txt --output data/clova_sentiments_morph/augmented.raw --analyzer=khaiii --n_iter=2 --max_ng=2 --parallel
preprocess --config=configs/config-bert-cls.json --bert_model_name_or_path=./embeddings/pytorch.all.dha.2.5m_step --data_dir=./data/clova_sentiments_morph --augmented
evaluate --config=configs/config-bert-cls.json --data_dir=data/clova_sentiments_morph --bert_output_dir=bert-checkpoint --batch_size=128 --augmented
"""  # noqa: E501
STUDENT = """
preprocess --config=configs/config-densenet-cnn.json --data_dir=data/clova_sentiments_morph --embedding_path=embeddings/kor.glove.300k.300d.txt --augmented
train --config=configs/config-densenet-cnn.json --data_dir=data/clova_sentiments_morph --lr_decay_rate=0.9 --save_path=pytorch-model-densenet.pt --augmented --measure=accuracy
evaluate --config=configs/config-densenet-cnn.json --data_dir=./data/clova_sentiments_morph --model_path=pytorch-model-densenet.pt
"""  # noqa: E501


@pytest.fixture
def workplace(tmp_path: Path, tiny_encoder: Path, khaiii: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with configs/, raw Korean, an encoder and word vectors where the recipe has them."""
    shutil.copytree(CONFIGS, tmp_path / "configs")
    shutil.copytree(tiny_encoder, tmp_path / "embeddings" / "pytorch.all.dha.2.5m_step")
    (tmp_path / "embeddings" / "kor.glove.300k.300d.txt").write_text("영화 0.1 0.2 0.3\n는 0.2 0.1 0.4\n")
    raw = tmp_path / "data" / "clova_sentiments"
    raw.mkdir(parents=True)
    for split, n in (("train", 24), ("valid", 12), ("test", 12)):
        nouns, words = ("영화", "배우", "노래"), ("행복했다", "지루했다")
        rows = [f"{nouns[i % 3]}는 정말{i} {words[i % 2]}\t{1 - i % 2}\n" for i in range(n)]
        (raw / f"{split}.txt").write_text("".join(rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(commands: str) -> None:
    for command in commands.strip().splitlines():
        main(command.split())


def test_from_raw_text_to_a_student_on_morphemes(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, morph = (workplace / "data" / f"clova_sentiments{end}" for end in ("", "_morph"))
    for split in ("train", "valid", "test"):
        files = f"--input {raw}/{split}.txt --output {morph}/{split}.txt"
        run(f"augment_data {files} --analyzer=khaiii --no_augment --preserve_label")
    assert (morph / "test.txt").read_text().startswith("영화 는 정말 0 행복 하 았 다\t1\n")

    run(TEACHER)
    assert ACCURACY.search(capsys.readouterr().out)
    run(TRANSFER_SET)
    shutil.copy(morph / "augmented.raw.pred", morph / "augmented.txt")
    run(STUDENT)
    assert ACCURACY.search(capsys.readouterr().out)

    student, test = potstill.load("pytorch-model-densenet.pt"), read_examples(morph / "test.txt")
    predicted = [line.split("\t")[2] for line in (morph / "test.txt.pred").read_text().splitlines()]
    assert student.predict([example.text for example in test]).tolist() == predicted
    assert np.isfinite(student.logits(["영화 는 [MASK] 다"])).all()
