"""Verify: a run is what it claims to be, or a line says what is not; and the same seed gives the same run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from potstill.artifacts import hash_json, read_json, read_manifest, write_json, write_manifest
from potstill.cli import main
from potstill.commands.export import ExportOptions, export
from potstill.commands.verify import VerifyOptions, verify
from potstill.errors import PotstillError

TIMES = ("p50_ms", "p95_ms", "mean_ms")


def distill(data: Path, teacher: Path, vectors: Path, out: Path) -> list[str]:
    """The words of a small ``potstill distill``."""
    return [
        *("distill", f"--data={data}", f"--teacher={teacher}", f"--out={out}", f"--embedding_path={vectors}"),
        *("--student=ngram", "--analyzer=whitespace", "--n_iter=3", "--n_frequent=50", "--teacher_epochs=1"),
        *("--student_epochs=2", "--student_batch_size=16", "--gold_epochs=1", "--threads=1", "--processes=1"),
        *("--fp32", "--quiet"),  # the same on every processor
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path) -> Path:
    """A finished run on stand-ins."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    main(distill(tiny_data, tiny_encoder, tiny_vectors, out))
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to be altered."""
    return shutil.copytree(finished, tmp_path / "run")


def failing(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What ``potstill verify`` finds, a line each."""
    with pytest.raises(SystemExit) as raised:
        main(["verify", str(folder), "--quiet"])
    printed = capsys.readouterr()
    *lines, last = printed.out.splitlines()
    assert raised.value.code == 2 and printed.err == ""
    assert last == f"{folder}: faults found: {len(lines)}"
    return lines


def test_a_run_that_nobody_touched_is_what_it_claims_to_be(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify", str(finished)])
    printed = capsys.readouterr().out
    assert printed.startswith(f"{finished}: ") and printed.count("\n") == 1
    assert "files are as they were written, and 4 models predict as its table says" in printed


def test_a_model_folder_is_verified_by_itself(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify", str(run / "student")])
    assert f"{run / 'student'}: 8 files are as they were written\n" in capsys.readouterr().out
    (run / "student" / "model.onnx").unlink()
    assert failing(run / "student", capsys) == [f"{run}/student/model.onnx: is missing"]
    with pytest.raises(PotstillError, match=r"students: neither run\.json nor manifest\.json in it"):
        verify(VerifyOptions(run / "students"))


def test_after_an_export_a_run_is_still_what_it_claims_to_be(run: Path, tiny_data: Path) -> None:
    export(ExportOptions(run, int8=True, max_drop=100))
    export(ExportOptions(run / "students" / "ngram", int8=True, check=tiny_data, max_drop=100))
    assert verify(VerifyOptions(run)).faults == []


def alter(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def declare(folder: Path) -> None:
    """Make a folder's manifest fit its files, as who means to deceive would."""
    write_manifest(folder, read_json(folder / "manifest.json")["inputs"])


def swap_models(run: Path) -> None:
    for file in (run / "students" / "ngram-gold").iterdir():
        if file.name != "manifest.json":
            shutil.copy(file, run / "student" / file.name)
    declare(run / "student")


def embellish(run: Path) -> None:
    table = read_json(run / "evaluation" / "evaluation.json")
    for score in table["scores"]:
        if score["name"] == "ngram, gold labels alone":
            score["accuracy"], score["correct"] = 1.0, 20
    write_json(run / "evaluation" / "evaluation.json", table)
    declare(run / "evaluation")


def make_from_another(run: Path) -> None:
    inputs = read_json(run / "transfer" / "manifest.json")["inputs"]
    write_manifest(run / "transfer", inputs | {"teacher": "0" * 64})


def break_weights(run: Path) -> None:
    (run / "teacher" / "model.onnx").write_bytes(b"no model")
    declare(run / "teacher")


def forget_stage(run: Path) -> None:
    record = read_json(run / "run.json")
    del record["stages"]["augmented"]
    write_json(run / "run.json", record)


@pytest.mark.parametrize(
    ("damage", "starts"),
    [
        (lambda run: alter(run / "transfer" / "part-00000.parquet"), ["transfer/part-00000.parquet: was altered: "]),
        (lambda run: alter(run / "prepared" / "embedding.npy"), ["prepared/embedding.npy: was altered: "]),
        (lambda run: alter(run / "data" / "test.parquet"), ["data/test.parquet: was altered: "]),
        (lambda run: shutil.rmtree(run / "student"), ["student: has no manifest.json of potstill's"]),
        (
            make_from_another,
            [
                "transfer: was made from other inputs than run.json says",
                "prepared: was made from another transfer than the one that exists",
                "transfer: was made from another teacher than the one that exists",
            ],
        ),
        (forget_stage, ["augmented: was made from other inputs than run.json says"]),
        (break_weights, ["teacher/model.onnx: cannot be loaded, it is damaged or of a kind that is not read here"]),
        (embellish, ["students/ngram-gold: measured again, accuracy is 0."]),
    ],
)
def test_each_wrong_claim_is_a_line_and_status_2(
    damage: Callable[[Path], None], starts: list[str], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(run)
    lines = failing(run, capsys)
    assert len(lines) == len(starts)
    assert all(line.startswith(f"{run}/{start}") for line, start in zip(sorted(lines), sorted(starts), strict=True))


def test_another_student_than_the_best_on_valid_is_found(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swap_models(run)
    assert failing(run, capsys)[0] == f"{run}/student: has other weights than students/ngram, the best on valid"


def test_a_run_that_did_not_come_to_its_end_is_not_finished(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = read_json(run / "run.json")
    for stage in ("evaluation", "student"):
        shutil.rmtree(run / stage)
        del record["stages"][stage]
    write_json(run / "run.json", record)
    end = "does not exist: the run did not finish"
    assert failing(run, capsys) == [f"{run}/evaluation: {end}", f"{run}/student: {end}"]


def test_a_student_that_was_left_out_may_rest_on_what_is_gone(run: Path) -> None:
    shutil.copytree(run / "students" / "ngram", run / "students" / "cnn")
    inputs = read_json(run / "students" / "cnn" / "manifest.json")["inputs"]
    write_manifest(run / "students" / "cnn", inputs | {"prepared": "0" * 64})
    record = read_json(run / "run.json")
    record["stages"]["students/cnn"] = {"inputs": hash_json(inputs | {"prepared": "0" * 64}), "seconds": 1}
    write_json(run / "run.json", record)
    assert verify(VerifyOptions(run)).faults == []


def without_times(value: Any) -> Any:
    """A table in JSON form, less its times."""
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if name not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def table(run: Path) -> Any:
    return without_times(read_json(run / "evaluation" / "evaluation.json")["scores"])


def test_the_same_seed_gives_the_same_transfer_set_students_and_table(
    finished: Path, tmp_path: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path
) -> None:
    again = tmp_path / "again"
    command = [sys.executable, "-m", "potstill.cli", *distill(tiny_data, tiny_encoder, tiny_vectors, again)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"})  # in any order of sets
    files = ["transfer/part-00000.parquet", "teacher/model.safetensors", "prepared/embedding.npy"]
    files += [f"{folder}/model.safetensors" for folder in ("students/ngram", "students/ngram-gold", "student")]
    for file in files:
        assert (again / file).read_bytes() == (finished / file).read_bytes(), file
    assert table(again) == table(finished)
    for stage in ("data", "augmented", "transfer", "prepared"):  # later ones have the seconds that they took
        assert read_manifest(again / stage) == read_manifest(finished / stage)
