"""What a run's teacher labels: train's texts, those sampled from them, and texts without labels."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from potstill.augment.sampling import Rules
from potstill.corpus.columns import DistillColumns
from potstill.corpus.splits import load_corpus
from potstill.corpus.transfer import read_transfer
from potstill.corpus.words import as_words
from potstill.distillation.augmented import augmented_stage
from potstill.distillation.checks import check_job
from potstill.distillation.data import data_stage
from potstill.distillation.transfer import transfer_stages
from potstill.errors import PotstillError
from potstill.labelling import ENGINES
from potstill.labelling.local import label_shards
from potstill.runs.contents import read_split
from potstill.runs.job import Job, Stage
from potstill.runs.options import DistillOptions


def options(data: Path, out: Path, **changes: object) -> DistillOptions:
    settings: dict[str, object] = {
        "data": str(data),
        "out": out,
        "teacher": "any",
        "analyzer": "whitespace",
        "rules": Rules(n_iter=2),
        "processes": 1,
    }
    return DistillOptions(**(settings | changes))  # type: ignore[arg-type]


@pytest.fixture
def run(tiny_data: Path, tmp_path: Path) -> Path:
    (tmp_path / "run" / "data").mkdir(parents=True)
    job = job_of(options(tiny_data, tmp_path / "run"))
    data_stage(job).build(job, tmp_path / "run" / "data")
    return tmp_path / "run"


def job_of(settings: DistillOptions) -> Job:
    return Job(settings, load_corpus(settings.data, settings.seed, settings.data_columns))


def augmented(settings: DistillOptions, work: Path) -> list[str]:
    work.mkdir(exist_ok=True)
    job = job_of(settings)
    augmented_stage(job).build(job, work)
    texts: list[str] = pyarrow.parquet.read_table(work / "texts.parquet")["text"].to_pylist()
    return texts


def test_texts_without_labels_follow_those_that_are_sampled_and_none_comes_twice(
    tiny_data: Path, run: Path, tmp_path: Path
) -> None:
    own = [example.text for example in read_split(run, "train")]
    (tmp_path / "more.txt").write_text(f"an  odd one\n{own[3]}\nan odd one\n")
    (tmp_path / "more.jsonl").write_text('{"text": "another one", "stars": 5}\n')
    settings = options(tiny_data, run, unlabelled=(tmp_path / "more.txt", tmp_path / "more.jsonl"))
    texts = augmented(settings, tmp_path / "work")
    assert texts[-2:] == ["an odd one", "another one"]
    assert len(set(texts)) == len(texts)
    assert set(own) < set(texts[:-2])


def test_each_text_has_the_row_of_train_that_it_was_made_from(tiny_data: Path, run: Path, tmp_path: Path) -> None:
    own = [example.text for example in read_split(run, "train")]
    (tmp_path / "more.txt").write_text("an odd one\n")
    texts = augmented(options(tiny_data, run, unlabelled=(tmp_path / "more.txt",)), tmp_path / "work")
    sources = pyarrow.parquet.read_table(tmp_path / "work" / "texts.parquet")["source"].to_pylist()
    assert len(sources) == len(texts) and sources[-1] is None
    for text, source in zip(texts[:-1], sources[:-1], strict=True):
        assert set(text.split()) <= {"[MASK]", *own[source].split(), *as_words(own[source]).split()}


def test_each_text_has_its_kind(tiny_data: Path, run: Path, tmp_path: Path) -> None:
    own = {example.text for example in read_split(run, "train")}
    (tmp_path / "more.txt").write_text("an odd one\n")
    for augment in (True, False):
        settings = options(tiny_data, run, unlabelled=(tmp_path / "more.txt",), augment=augment)
        texts = augmented(settings, tmp_path / str(augment))
        kinds = pyarrow.parquet.read_table(tmp_path / str(augment) / "texts.parquet")["kind"].to_pylist()
        assert [text for text, kind in zip(texts, kinds, strict=True) if kind == "unlabelled"] == ["an odd one"]
        assert {text for text, kind in zip(texts, kinds, strict=True) if kind == "own"} == own
        assert (set(kinds) > {"own", "unlabelled"}) == augment


def test_without_augmentation_they_take_its_place(tiny_data: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("an odd one\n")
    settings = options(tiny_data, run, unlabelled=(tmp_path / "more.txt",), augment=False)
    own = dict.fromkeys(example.text for example in read_split(run, "train"))
    assert augmented(settings, tmp_path / "work") == [*own, "an odd one"]


def test_texts_of_valid_and_test_are_left_out_whatever_their_case_and_spacing(
    tiny_data: Path, run: Path, tmp_path: Path
) -> None:
    held_out = [read_split(run, split)[0].text for split in ("valid", "test")]
    held_out[1] = held_out[1].upper().replace(" ,", ",")
    (tmp_path / "more.txt").write_text("\n".join([*held_out, "an odd one"]) + "\n")
    settings = options(tiny_data, run, unlabelled=(tmp_path / "more.txt",), augment=False)
    texts = augmented(settings, tmp_path / "work")
    own = {example.text for example in read_split(run, "train")}
    assert [text for text in texts if text not in own] == ["an odd one"]


def test_files_without_labels_that_cannot_count_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"none\.txt: no such file"):
        options(tmp_path, tmp_path / "run", unlabelled=(tmp_path / "none.txt",))
    (tmp_path / "more.txt").write_text("an odd one\n")
    with pytest.raises(PotstillError, match="--transfer is a labelled set"):
        options(tmp_path, tmp_path / "run", unlabelled=(tmp_path / "more.txt",), transfer=(tmp_path,))


def test_on_another_engine_the_teacher_is_sent_as_it_is(
    tiny_data: Path,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    classifier_folder: Callable[[dict[int, str]], Path],
) -> None:
    shutil.copytree(classifier_folder({0: "0", 1: "1"}), run / "teacher")
    augmented(options(tiny_data, run, rules=Rules(n_iter=1, p_mask=0.3)), run / "augmented")
    sent: list[int] = []

    def elsewhere(shards: Any, teacher: Any, folder: Path, **others: Any) -> int:
        sent.append(len(pickle.dumps(teacher)))
        return label_shards(shards, pickle.loads(pickle.dumps(teacher)), folder, **others)

    monkeypatch.setitem(ENGINES, "ray", elsewhere)
    for engine in ("local", "ray"):
        (tmp_path / engine).mkdir()
        job = job_of(options(tiny_data, run, engine=engine))
        *_, transfer = transfer_stages(job)
        transfer.build(job, tmp_path / engine)
    assert len(sent) == 1
    local, ray = (tmp_path / engine / "part-00000.parquet" for engine in ("local", "ray"))
    assert local.read_bytes() == ray.read_bytes()


def test_texts_without_labels_may_be_in_a_column_of_any_name(tiny_data: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("an odd one\n")
    (tmp_path / "more.csv").write_text("review,stars\nanother one,5\n")
    settings = options(
        tiny_data,
        run,
        unlabelled=(tmp_path / "more.txt", tmp_path / "more.csv"),
        augment=False,
        columns=DistillColumns("review"),
    )
    assert augmented(settings, tmp_path / "work")[-2:] == ["an odd one", "another one"]


def transfer_stage(settings: DistillOptions) -> tuple[Job, Stage]:
    job = job_of(settings)
    *_, stage = transfer_stages(job)
    return job, stage


def test_answers_in_columns_become_a_transfer_set(tiny_data: Path, tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("review,1,0\nan odd one,0.75,0.25\n")
    columns = DistillColumns("review", label_columns=("1", "0"))
    job, stage = transfer_stage(options(tiny_data, tmp_path, transfer=(tmp_path / "scores.csv",), columns=columns))
    stage.build(job, tmp_path)
    labelled = read_transfer(tmp_path)
    assert labelled.texts == ["an odd one"]
    np.testing.assert_allclose(np.exp(labelled.logits), [[0.25, 0.75]], rtol=1e-6)
    with_labels = options(
        tiny_data, tmp_path, transfer=(tmp_path / "scores.csv",), columns=DistillColumns("review", label_column="1")
    )
    _, other = transfer_stage(with_labels)
    assert stage.inputs != other.inputs  # made again


def test_answers_that_are_not_there_are_told_before_any_work(tiny_data: Path, tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("text,1,0\nan odd one,0.75,0.25\n")
    job = job_of(options(tiny_data, tmp_path, transfer=(tmp_path / "scores.csv",)))
    with pytest.raises(PotstillError, match=r"scores\.csv: no logits, .*: give --label_columns 0 1$"):
        check_job(job)


def test_without_named_columns_stages_depend_on_what_they_did(tiny_data: Path, tmp_path: Path) -> None:
    job = job_of(options(tiny_data, tmp_path))
    assert "columns" not in data_stage(job).inputs | augmented_stage(job).inputs
    (tmp_path / "d.csv").write_text("review,label\n" + "".join(f"film {i},{i % 2}\n" for i in range(20)))
    named = job_of(options(tmp_path / "d.csv", tmp_path, columns=DistillColumns("review")))
    assert data_stage(named).inputs["columns"] == {"text_column": ["review"]}
