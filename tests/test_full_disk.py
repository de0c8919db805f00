"""A full disk and an unwritable place: one clear line, status 2, and what was made before is still there.

The full disk is a limit on the size of files. Every library's writes fail at it as on a full disk, at the same calls
and with some bytes written; only the system's word for it is another.
"""

import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import potstill
from potstill.artifacts import read_json, read_manifest
from potstill.cli import main
from potstill.manifests import find_faults
from standins import write_student

CONFIGS = Path(__file__).parents[1] / "configs"


@contextmanager
def room(n: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes."""
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def failing(command: list[str], capsys: pytest.CaptureFixture[str], n: int | None = None) -> str:
    """The one line of a command that fails, with room for so many bytes a file."""
    with pytest.raises(SystemExit) as raised:
        if n is None:
            main([*command, "--quiet"])
        else:
            with room(n):
                main([*command, "--quiet"])
    printed = capsys.readouterr()
    assert raised.value.code == 2 and printed.out == ""
    assert printed.err.startswith("potstill: ") and printed.err.count("\n") == 1, printed.err
    assert "cannot write here (" in printed.err
    return printed.err


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_distill_goes_on_once_there_is_room(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    command = [
        *("distill", f"--data={tiny_data}", f"--teacher={tiny_encoder}", f"--embedding_path={tiny_vectors}"),
        *(f"--out={run}", "--student=cnn", "--analyzer=whitespace", "--n_iter=3", "--n_frequent=50"),
        *("--teacher_epochs=1", "--student_epochs=1", "--gold_epochs=0", "--threads=1", "--processes=1"),
    ]
    failed, complete = [], dict[str, bytes]()
    for n in (100, 5_000, 60_000, 150_000, 280_000, 1_000_000, 3_000_000):
        failed.append(failing(command, capsys, n).split(": ")[1].removeprefix(f"{run}/"))
        files = contents(run) if run.exists() else {}
        assert files | complete == files, "what was complete stays as it is"
        complete = {name: content for name, content in files.items() if name.endswith("manifest.json")}
        complete = {name: content for name, content in complete.items() if ".partial" not in name}
    assert list(dict.fromkeys(failed)) == ["run.json", "teacher", "students/cnn"]
    main([*command, "--quiet"])
    assert not any(fault for manifest in run.rglob("manifest.json") for fault in find_faults(manifest.parent))
    assert potstill.load(run / "student").classes_.tolist() == ["0", "1"]


@pytest.fixture
def workplace(tmp_path: Path, tiny_data: Path, tiny_vectors: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a prepared data/sst2/, which the recipe's commands run in."""
    shutil.copytree(CONFIGS, tmp_path / "configs")
    shutil.copytree(tiny_data, tmp_path / "data" / "sst2")
    monkeypatch.chdir(tmp_path)
    main(f"preprocess --embedding_path={tiny_vectors} --n_frequent=50 --quiet".split())
    return tmp_path


def test_train_goes_on_once_there_is_room(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "--save_path=student", "--lr=1e-3", "--epoch=2"]
    main([*command, "--quiet"])
    before = contents(workplace / "student")
    longer = [*command, "--patience=9"]
    for n in (1_000, 1_000_000, 2_000_000):
        capsys.readouterr()
        assert "student: cannot write here" in failing(longer, capsys, n)
        assert contents(workplace / "student") == before
    main([*longer, "--quiet"])
    assert (read_manifest(workplace / "student") or {})["inputs"]["optimisation"]["patience"] == 9


@pytest.mark.parametrize("verb", ["augment_data", "preprocess", "evaluate", "bench"])
def test_earlier_output_of_a_command_stays(verb: str, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "--save_path=student", "--lr=1e-3", "--epoch=1", "--quiet"])
    command, written, n = {
        "augment_data": ("--input=data/sst2/train.txt --output=new.raw --analyzer=whitespace", ["new.raw"], 2_000),
        "preprocess": ("--embedding_path=glove.txt --n_frequent=9", ["tokenizer.json", "embedding.npy"], 1_000),
        "evaluate": ("--model_path=student", ["test.txt.pred"], 500),
        "bench": ("student --data=data/sst2 --batch=1 --out=benched", ["bench.svg", "bench.json"], 500),
    }[verb]
    (workplace / "glove.txt").write_text("film 1 2\nplot 3 4\n")
    words = [verb, *command.split()]
    main([*words, "--quiet"])
    before = contents(workplace)
    assert {name.rpartition("/")[2] for name in before} >= set(written)
    capsys.readouterr()
    failing(words, capsys, n)
    assert contents(workplace) == before


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights: a stand-in."""
    return write_student(tmp_path_factory.mktemp("student"), labels=("0", "1"))


def test_an_export_that_finds_no_room_changes_nothing(
    student: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(student, tmp_path / "copy")
    for n in (100, 1_000_000):
        failing(["export", str(copy), "--int8", f"--check={tiny_data}", "--max_drop=100"], capsys, n)
        assert contents(copy) == contents(student)


def test_a_failed_predict_leaves_earlier_predictions_as_they_are(
    student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.txt").write_text("a b\n" * 5000)
    (tmp_path / "out.txt").write_text("made before")
    command = ["predict", str(student), f"--input={tmp_path / 'in.txt'}", f"--output={tmp_path / 'out.txt'}"]
    failing(command, capsys, 4_000)
    assert contents(tmp_path).keys() == {"in.txt", "out.txt"}
    assert (tmp_path / "out.txt").read_text() == "made before"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("to_file", [False, True])
def test_standard_output_may_be_full_too(to_file: bool, student: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a b\n")
    command = [sys.executable, "-m", "potstill.cli", "predict", str(student), f"--input={tmp_path / 'in.txt'}"]
    command += [f"--output={tmp_path / 'out.txt'}"] if to_file else []
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*command, "--quiet"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "potstill: standard output: cannot write here (No space left on device); free the place or choose another\n"
    )
    assert (tmp_path / "out.txt").exists() == to_file


def test_a_place_below_a_file_is_refused(
    workplace: Path, student: Path, tiny_encoder: Path, tiny_vectors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "file").write_text("mine")
    for command in (
        f"distill --data=data/sst2 --teacher={tiny_encoder} --embedding_path={tiny_vectors} --out=file/run",
        "train --save_path=file/student --epoch=1",
        "augment_data --input=data/sst2/train.txt --output=file/new.raw --analyzer=whitespace",
        f"bench {student} --data=data/sst2 --batch=1 --out=file/benched",
        f"predict {student} --input=data/sst2/train.txt --output=file/out.txt",
    ):
        assert "file/" in failing(command.split(), capsys)
    assert (workplace / "file").read_text() == "mine"
    assert read_json(workplace / "data/sst2/train.txt.ids/manifest.json")
