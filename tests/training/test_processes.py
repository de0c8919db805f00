"""Two processes on the CPU train as one does with their batches together. Run by ``torchrun``, this file is the two."""

import atexit
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from potstill.artifacts import read_json, write_json
from potstill.cli import main
from potstill.corpus.encoded import encode, limited
from potstill.corpus.words import build_tokenizer
from potstill.errors import PotstillError
from potstill.progress import Progress, silent
from potstill.training.batching import LengthBatchSampler
from potstill.training.fitting import new_student
from potstill.training.options import Optimisation
from potstill.training.trainer import train_model
from potstill.training.vocabulary import Vocabulary

TESTS = Path(__file__).parents[1]
OPTIONS = Optimisation(epoch=4, batch_size=8, lr=3e-3)  # an epoch has 6 steps, its last one of 6 texts
LAST = 24
TEACHER = "train --config=teacher.json --data_dir=data --epoch=2 --batch_size=20 --bert_model_name_or_path=bert"
STUDENT = "train --config=student.json --data_dir=data --epoch=3 --batch_size=20"


def train(work: Path, progress: Progress = silent) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """A small training without dropout: its weights and its evaluations."""
    tokenizer = build_tokenizer("abcdef", lower=True)
    texts = ["a b c", "d e f", "a c", "f d", "b a", "e d"] * 8
    train, valid = (
        encode(texts[:n], limited(tokenizer, 10), gold=np.arange(n) // shift % 2) for n, shift in ((46, 1), (48, 3))
    )
    table = np.random.default_rng(0).normal(size=(9, 12)).astype(np.float32)
    vocabulary = Vocabulary(tokenizer, table)
    model, _ = new_student("ngram", {"dropout": 0.0}, vocabulary, ["no", "yes"], embedding_trainable=True, seed=1)
    training = train_model(model, train, valid, OPTIONS, work, progress=progress)
    return model.state_dict(), training.evaluations


@contextmanager
def breaking_off(description: str, total: int) -> Iterator[Any]:
    """A progress that interrupts the training in its third epoch."""

    class Bar:
        done = 0

        def update(self, n: int) -> None:
            self.done += n
            if self.done == 15:
                raise KeyboardInterrupt

        def note(self, text: str) -> None:
            pass

    yield Bar()


def be_one_of_two() -> None:
    """What each of the two does, in the test's folder."""
    left = Path(f"left-by-{os.environ['RANK']}.json").absolute()
    atexit.register(
        lambda: write_json(left, not torch.distributed.is_initialized())
    )  # the first to come is called last
    with suppress(KeyboardInterrupt):
        train(Path("begun-by-two"), breaking_off)
    weights, evaluations = train(Path("begun-by-one"))
    write_json(Path(f"seen-by-{os.environ['RANK']}.json"), [evaluations, weights["embedding.weight"].tolist()])
    train_both("two")


def train_both(place: str) -> None:
    """A teacher, without its ONNX file, and a student."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("potstill.export.onnx_files.export_onnx", lambda model, inputs, path: path.touch())
        main(f"{TEACHER} --bert_output_dir={place}/teacher".split())
    main(f"{STUDENT} --save_path={place}/student".split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Iterator[Path]:
    """A folder in which one process, and then two, have trained a teacher and a student, and begun a third model."""
    place = tmp_path_factory.mktemp("processes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        prepare(tiny_encoder)
        train_both("one")
        with suppress(KeyboardInterrupt):
            train(Path("begun-by-one"), breaking_off)
        start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", __file__]
        path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(start, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        Path("printed.txt").write_text(done.stdout)
        Path("shown.txt").write_text(done.stderr)
        yield place


def prepare(encoder: Path) -> None:
    """A data folder, and models without dropout: their masks would differ."""
    from transformers import AutoModel, AutoTokenizer

    from standins import write_data, write_vectors

    Path("data").mkdir()
    write_data(Path("data"))
    bert = AutoModel.from_pretrained(encoder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    bert.save_pretrained("bert")
    AutoTokenizer.from_pretrained(encoder).save_pretrained("bert")
    for name, config in (("teacher", "config-bert-cls"), ("student", "config-glove-cnn")):
        settings = read_json(TESTS.parent / "configs" / f"{config}.json")
        write_json(Path(f"{name}.json"), settings | {"dropout": 0.0})
    main(["preprocess", "--config=teacher.json", "--data_dir=data", "--bert_model_name_or_path=bert"])
    write_vectors(Path("glove.txt"))
    main(["preprocess", "--config=student.json", "--data_dir=data", "--embedding_path=glove.txt", "--n_frequent=20"])


@pytest.mark.parametrize("model", ["teacher", "student"])
def test_two_processes_have_the_loss_curve_of_one_with_their_batches_together(model: str, folder: Path) -> None:
    single, double = (read_json(folder / number / model / "training.json")["evaluations"] for number in ("one", "two"))
    assert [entry["step"] for entry in single] == [entry["step"] for entry in double]
    assert len({entry["loss"] for entry in single}) == len(single) > 1
    np.testing.assert_allclose([entry["loss"] for entry in double], [entry["loss"] for entry in single], rtol=1e-4)
    single, double = (load_file(folder / number / model / "model.safetensors") for number in ("one", "two"))
    for name, weight in single.items():
        torch.testing.assert_close(double[name], weight, rtol=1e-3, atol=1e-4)


def test_two_processes_end_their_connections(folder: Path) -> None:
    assert [read_json(folder / f"left-by-{rank}.json") for rank in range(2)] == [True, True]


@pytest.mark.parametrize("model", ["teacher", "student"])
def test_two_processes_leave_the_files_of_one(model: str, folder: Path) -> None:
    manifests = [read_json(folder / number / model / "manifest.json") for number in ("one", "two")]
    assert manifests[0]["inputs"] == manifests[1]["inputs"]
    assert set(manifests[0]["files"]) == set(manifests[1]["files"])
    assert sorted(path.name for path in (folder / "two").iterdir()) == ["student", "teacher"]


def test_the_first_of_two_alone_shows_and_prints(folder: Path) -> None:
    assert (folder / "printed.txt").read_text().count("two/teacher") == 1
    assert (folder / "shown.txt").read_text().count("exporting") == 1  # the student


def test_a_training_goes_on_with_another_number_of_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    weights, evaluations = train(Path("whole"))
    assert evaluations[-1]["step"] == LAST
    losses = [entry["loss"] for entry in evaluations]
    assert Path("begun-by-two/checkpoint-12/rng_state_1.pth").is_file()
    from_two, goes_on = train(Path("begun-by-two"))
    np.testing.assert_allclose([entry["loss"] for entry in goes_on], losses, rtol=1e-3)
    torch.testing.assert_close(from_two["embedding.weight"], weights["embedding.weight"], rtol=1e-2, atol=1e-3)
    for rank in (0, 1):
        seen, table = read_json(Path(f"seen-by-{rank}.json"))
        np.testing.assert_allclose([entry["loss"] for entry in seen], losses, rtol=1e-3)
        torch.testing.assert_close(torch.tensor(table), weights["embedding.weight"], rtol=1e-2, atol=1e-3)


def test_processes_share_every_batch_in_equal_parts() -> None:
    lengths = np.arange(23)
    whole = list(LengthBatchSampler(lengths, 6, seed=1))
    parts = [list(LengthBatchSampler(lengths, 6, seed=1, rank=rank, n_ranks=3)) for rank in range(3)]
    for batch, *shared in zip(whole, *parts, strict=True):
        assert {row for part in shared for row in part} == set(batch)
        assert len({len(part) for part in shared}) == 1


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(PotstillError, match="--batch_size=8: 3 processes share it; give a multiple"):
        train(tmp_path)


def test_other_commands_are_the_work_of_one_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit, match="2"):
        main(["distill", "--data=x", "--teacher=y", "--out=z"])
    assert "2 processes were started, but potstill distill is a single process: start one" in capsys.readouterr().err


if __name__ == "__main__":
    be_one_of_two()
