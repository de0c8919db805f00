"""The recipe's commands as they are written, with ``python X.py`` written ``potstill X``, on small stand-ins."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import potstill
from potstill.cli import main
from potstill.corpus.transfer import read_transfer
from potstill.model_folder import ModelFolder
from potstill.tasks import SingleLabel
from standins import write_reviews

CONFIGS = Path(__file__).parents[2] / "configs"
ACCURACY = re.compile(r"^\[Accuracy\] : [01]\.\d{4}, +\d+/ +\d+$", re.MULTILINE)
ELAPSED = re.compile(r"^\[Elapsed Time\] : [\d.]+ms, [\d.]+ms on average$", re.MULTILINE)


@pytest.fixture
def workplace(tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with configs/ and data/sst2/, which commands run in."""
    shutil.copytree(CONFIGS, tmp_path / "configs")
    shutil.copytree(tiny_data, tmp_path / "data" / "sst2")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def potstill_command(command: str) -> None:
    main(command.split())


def test_bert_to_cnn_from_the_first_command_to_the_last(
    workplace: Path, tiny_encoder: Path, tiny_vectors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bert = "--config=configs/config-bert-cls.json --data_dir=data/sst2"
    encoder = f"--bert_model_name_or_path={tiny_encoder} --bert_do_lower_case"
    potstill_command(f"preprocess {bert} {encoder}")
    potstill_command(f"train {bert} {encoder} --bert_output_dir=bert-checkpoint --lr=1e-5 --epoch=1 --batch_size=64")
    capsys.readouterr()
    assert ModelFolder(Path("bert-checkpoint")).long_texts == "first"  # as the recipe cuts them
    potstill_command(f"evaluate {bert} --bert_output_dir=bert-checkpoint")
    printed = capsys.readouterr().out
    assert ACCURACY.search(printed) and ELAPSED.search(printed)

    data = workplace / "data" / "sst2"
    potstill_command(
        "augment_data --input data/sst2/train.txt --output data/sst2/augmented.raw --lower --parallel --n_iter=2"
    )
    assert all(line.endswith("\tdummy") for line in (data / "augmented.raw").read_text().splitlines())
    potstill_command(f"preprocess {bert} {encoder} --augmented")
    potstill_command(f"evaluate {bert} --bert_output_dir=bert-checkpoint --batch_size=128 --augmented")
    labelled = read_transfer(data / "augmented.raw.pred")
    teacher = potstill.load("bert-checkpoint")
    np.testing.assert_allclose(labelled.logits, teacher.logits(labelled.texts), atol=1e-4)
    assert not (data / "augmented.raw.pred.shards").exists()
    shutil.copy(data / "augmented.raw.pred", data / "augmented.txt")

    potstill_command(
        "preprocess --config=configs/config-densenet-cnn.json --data_dir=data/sst2 --augmented "
        f"--embedding_path={tiny_vectors} --n_frequent=50"
    )
    potstill_command(
        "train --config=configs/config-glove-cnn.json --data_dir=data/sst2 --lr=1e-3 --use_transformers_optimizer "
        "--warmup_epoch=0 --weight_decay=0.0 --save_path=pytorch-model-cnn.pt --augmented --epoch=1"
    )
    capsys.readouterr()
    potstill_command(
        "evaluate --config=configs/config-glove-cnn.json --data_dir=data/sst2 --model_path=pytorch-model-cnn.pt"
    )
    printed = capsys.readouterr().out
    assert ACCURACY.search(printed) and ELAPSED.search(printed)
    assert len((data / "test.txt.pred").read_text().splitlines()) == 20


def test_each_text_is_labelled_once_and_a_student_learns_confident_labels(
    workplace: Path,
    classifier_folder: Callable[[dict[int, str]], Path],
    tiny_vectors: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    teacher = classifier_folder({0: "0", 1: "1"})
    data = workplace / "data" / "sst2"
    rows = [line.split("\t")[0] for line in (data / "train.txt").read_text().splitlines()]
    texts = list(dict.fromkeys(rows))
    assert len(texts) < len(rows)
    shutil.copy(data / "train.txt", data / "augmented.raw")
    bert = "--config=configs/config-bert-cls.json --data_dir=data/sst2 --augmented"
    potstill_command(f"preprocess {bert} --bert_model_name_or_path={teacher}")
    potstill_command(f"evaluate {bert} --bert_output_dir={teacher}")
    labelled = read_transfer(data / "augmented.raw.pred")
    assert labelled.texts == texts
    bits = SingleLabel().entropy(labelled.logits)
    threshold = float(np.median(bits))
    capsys.readouterr()
    potstill_command(f"evaluate {bert} --bert_output_dir={teacher} --entropy_threshold={threshold} --hard_labeling")
    confident = np.flatnonzero(bits <= threshold)
    assert f"{len(confident)} of {len(texts)} texts, labelled" in capsys.readouterr().out
    lines = [f"{texts[i]}\t{labelled.logits[i].argmax()}" for i in confident]
    assert (data / "augmented.raw.pred").read_text().splitlines() == lines

    shutil.copy(data / "augmented.raw.pred", data / "augmented.txt")
    cnn = "--config=configs/config-glove-cnn.json --data_dir=data/sst2 --augmented"
    potstill_command(f"preprocess {cnn} --embedding_path={tiny_vectors} --n_frequent=50")
    gold = np.load(data / "augmented.txt.ids" / "gold.npy")
    assert gold.dtype == np.int64 and gold.tolist() == labelled.logits[confident].argmax(axis=1).tolist()
    potstill_command(f"train {cnn} --epoch=1 --save_path=cnn")
    with pytest.raises(SystemExit):
        potstill_command(f"train {cnn} --epoch=1 --save_path=cnn --loss=kl")
    assert "has labels, no logits" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "encoder", "mask", "optimiser"),
    [
        ("roberta", "tiny_roberta", "<mask>", "--use_transformers_optimizer --warmup_epoch=0 --weight_decay=0.0"),
        ("electra", "tiny_electra", "[MASK]", "--lr_decay_rate=0.9 --bert_do_lower_case"),
    ],
)
def test_roberta_and_electra_teachers_fine_tune_and_label(
    config: str,
    encoder: str,
    mask: str,
    optimiser: str,
    workplace: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    teacher = f"--config=configs/config-{config}-cls.json --data_dir=data/sst2"
    lower = "--bert_do_lower_case" if "lower" in optimiser else ""
    name = f"--bert_model_name_or_path={request.getfixturevalue(encoder)} {lower}"
    potstill_command(f"preprocess {teacher} {name}")
    command = f"train {teacher} {name} --bert_output_dir=checkpoint --lr=1e-5 --epoch=1 --batch_size=64 {optimiser}"
    potstill_command(command)
    potstill_command(
        f"augment_data --input data/sst2/train.txt --output data/sst2/augmented.raw --mask_token={mask} --lower "
        f"--analyzer=whitespace --n_iter=2 --max_ng=2"
    )
    assert mask in (workplace / "data/sst2/augmented.raw").read_text()
    potstill_command(f"preprocess {teacher} {name} --augmented")
    potstill_command(f"evaluate {teacher} --bert_output_dir=checkpoint --batch_size=128 --augmented")
    assert (workplace / "data/sst2/augmented.raw.pred").is_file()


def test_pairs_of_texts_are_a_teachers(workplace: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "valid", "test"):
        (workplace / f"data/sst2/{split}.txt").write_text("a fine film\tgood\tyes\na dull film\tgood\tno\n" * 4)
    bert = "--config=configs/config-bert-cls.json --data_dir=data/sst2"
    name = f"--bert_model_name_or_path={tiny_encoder}"
    potstill_command(f"preprocess {bert} {name}")
    potstill_command(f"train {bert} {name} --epoch=1 --batch_size=4")
    potstill_command(f"evaluate {bert}")
    assert ACCURACY.search(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("train --config=configs/config-glove-cnn.json", "potstill preprocess"),
        ("train --config=configs/config-densenet-cnn.json --augmented", "potstill preprocess"),
        ("evaluate --config=configs/config-glove-cnn.json --model_path=nowhere", "nowhere"),
        ("evaluate --config=configs/config-glove-cnn.json --augmented", "configuration of a teacher"),
        ("evaluate --config=configs/none.json", "no such file"),
        ("evaluate --config=configs/config-bert-cls.json --hard_labeling", "give --augmented too"),
        ("preprocess --config=configs/config-glove-cnn.json --data_dir=nowhere", "no such folder"),
        ("preprocess --config=configs/config-glove-cnn.json --embedding_path=nowhere.txt", "no such word vec"),
        ("preprocess --config=configs/config-glove-cnn.json --augmented", "augmented.txt: no such file"),
        ("preprocess --config=configs/config-bert-cls.json --bert_model_name_or_path=./none", "neither a folder"),
        ("train --warmup_epoch=1", "give --use_transformers_optimizer too"),
        ("train --use_transformers_optimizer --lr_decay_rate=0.9", "give one of them"),
        ("augment_data --input=none.txt --output=o.raw", "none.txt: no such file"),
        ("augment_data --input=data/sst2/train.txt --output=o.raw --analyzer=npc", "choose one of khaiii, kiwi"),
        (
            "augment_data --input=data/sst2/train.txt --output=data/sst2/train.txt/o --analyzer=whitespace",
            "cannot write",
        ),
        ("augment_data --input=data/sst2/train.txt --output=o.raw --p_mask=2", "between 0 and 1"),
        ("distil", "no command 'distil'"),
    ],
)
def test_a_users_error_is_one_line_and_status_2(
    command: str, complaint: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        potstill_command(command)
    printed = capsys.readouterr().err
    assert exit_.value.code == 2
    assert complaint in printed and printed.startswith("potstill: ") and printed.count("\n") == 1


def test_a_configuration_of_another_kind_than_the_checkpoint_is_refused(
    workplace: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        potstill_command(
            f"preprocess --config=configs/config-roberta-cls.json --bert_model_name_or_path={tiny_encoder}"
        )
    assert "a checkpoint of kind 'bert'" in capsys.readouterr().err


def test_data_that_changed_since_it_was_encoded_is_refused(
    workplace: Path, tiny_vectors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = "--config=configs/config-glove-cnn.json"
    potstill_command(f"preprocess {config} --embedding_path={tiny_vectors} --n_frequent=50")
    with (workplace / "data/sst2/train.txt").open("a") as file:
        file.write("one more\t1\n")
    with pytest.raises(SystemExit):
        potstill_command(f"train {config} --epoch=1")
    assert "changed or removed since it was encoded" in capsys.readouterr().err


def test_a_transfer_set_with_another_number_of_logits_is_refused(
    workplace: Path, tiny_vectors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "data/sst2/augmented.txt").write_text("fine\t0.1 0.2 0.3\n")
    with pytest.raises(SystemExit):
        potstill_command(
            f"preprocess --config=configs/config-glove-cnn.json --augmented --embedding_path={tiny_vectors}"
        )
    assert "3 logits a text, but the data has 2 labels" in capsys.readouterr().err


def test_a_folder_in_the_way_of_preprocess_is_named_before_anything_is_written(
    workplace: Path, tiny_vectors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = workplace / "data" / "sst2"
    (data / "test.txt.ids").mkdir()
    (data / "test.txt.ids" / "mine.txt").touch()
    before = sorted(data.rglob("*"))
    with pytest.raises(SystemExit):
        potstill_command(f"preprocess --config=configs/config-glove-cnn.json --embedding_path={tiny_vectors}")
    assert "test.txt.ids: exists and was not made by potstill" in capsys.readouterr().err
    assert sorted(data.rglob("*")) == before


def test_the_data_may_have_columns_of_any_names(
    workplace: Path, tiny_vectors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_reviews(workplace / "data" / "reviews")
    cnn = "--config=configs/config-glove-cnn.json --data_dir=data/reviews"
    columns = "--text_column opinion --label_column verdict"
    potstill_command(f"preprocess {cnn} {columns} --embedding_path={tiny_vectors} --n_frequent=50")
    potstill_command(f"train {cnn} --epoch=1 --save_path=cnn")
    potstill_command(f"evaluate {cnn} {columns} --model_path=cnn")
    assert ACCURACY.search(capsys.readouterr().out)
    with pytest.raises(SystemExit):
        potstill_command(f"evaluate {cnn} --model_path=cnn")
    assert "test.csv:1: no column 'text'; it has id, opinion, verdict: give --text_column opinion" in (
        capsys.readouterr().err
    )
    bert = "--config=configs/config-bert-cls.json --data_dir=data/reviews"
    with pytest.raises(SystemExit):
        potstill_command(f"evaluate {bert} {columns} --augmented")
    assert "augmented.raw: has no columns, but --text_column names one" in capsys.readouterr().err
