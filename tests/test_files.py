"""What a user names as input or output: links, devices, pipes, and what the system refuses."""

import io
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import potstill
from potstill.artifacts import atomic_file, atomic_folder, hash_file, read_manifest, write_json
from potstill.cli import main
from potstill.corpus.examples import read_examples
from potstill.corpus.safe_loading import open_array, open_tokenizer
from potstill.corpus.splits import load_corpus
from potstill.corpus.vector_files import load_vectors
from potstill.errors import PotstillError
from potstill.files import check_input, rereadable
from potstill.outputs import check_apart, is_standard_output, text_output
from potstill.reporting.report import ReportOptions, report_runs
from standins import write_data, write_student

LONG = "x" * 300


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights: a stand-in."""
    return write_student(tmp_path_factory.mktemp("student"), "ngram", labels=("0", "1"))


@contextmanager
def feeding(pipe: Path, content: bytes) -> Iterator[Path]:
    """Let somebody write into a named pipe, once."""
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,), daemon=True)
    writer.start()
    yield pipe
    writer.join(timeout=60)


def test_a_link_stays_and_its_target_is_replaced_at_once(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "target").write_text("old")
    (tmp_path / "link").symlink_to(Path("there") / "target")
    with atomic_file(tmp_path / "link") as partial:
        partial.write_text("new")
        assert (tmp_path / "there" / "target").read_text() == "old"
    assert (tmp_path / "link").is_symlink() and (tmp_path / "there" / "target").read_text() == "new"
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["target"]


def test_a_link_to_nothing_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there" / "target")
    write_json(tmp_path / "link", 1)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "there" / "target").read_text() == "1\n"


def test_a_link_to_a_folder_stays_while_the_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there")
    for content in ("old", "new"):
        with atomic_folder(tmp_path / "link", {"content": content}) as work:
            (work / "a.txt").write_text(content)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "there" / "a.txt").read_text() == "new"
    assert read_manifest(tmp_path / "link") and sorted(path.name for path in tmp_path.iterdir()) == ["link", "there"]


def test_a_pipe_is_written_to_and_stays(student: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a b\nc\n")
    os.mkfifo(tmp_path / "pipe")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_text()), daemon=True)
    reader.start()
    main(["predict", str(student), f"--input={tmp_path / 'in.txt'}", f"--output={tmp_path / 'pipe'}", "--quiet"])
    reader.join(timeout=60)
    assert got[0].count("\n") == 2 and (tmp_path / "pipe").is_fifo()


def device(path: Path, minor: int) -> Path:
    """A device of memory: 3 is null, 7 is full."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        path.open("wb").close()
    except OSError:
        pytest.skip("needs the right to make devices")
    return path


def test_a_device_is_written_to_and_stays(student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.txt").write_text("a b\n")
    null, full = device(tmp_path / "null", 3), device(tmp_path / "full", 7)
    command = ["predict", str(student), f"--input={tmp_path / 'in.txt'}", "--quiet"]
    main([*command, f"--output={null}"])
    with pytest.raises(SystemExit) as raised:
        main([*command, f"--output={full}"])
    assert raised.value.code == 2 and "full: cannot write here (No space left on device)" in capsys.readouterr().err
    assert null.is_char_device() and full.is_char_device()


def test_standard_output_has_many_names_and_holds_nothing_else(tmp_path: Path, tiny_data: Path) -> None:
    command = [sys.executable, "-m", "potstill.cli", "augment_data", f"--input={tiny_data / 'train.txt'}"]
    command += ["--analyzer=whitespace", "--no-augment", "--quiet"]
    printed = [
        subprocess.run([*command, f"--output={name}"], capture_output=True, text=True, check=True).stdout
        for name in ("-", "/dev/stdout")
    ]
    with (tmp_path / "out").open("w") as out:
        out.write("before\n")
        out.flush()
        subprocess.run([*command, f"--output={tmp_path / 'out'}"], stdout=out, check=True)
    assert printed[0] == printed[1] and printed[0].count("\tdummy\n") == len(printed[0].splitlines())
    assert (tmp_path / "out").read_text() == f"before\n{printed[0]}"
    assert not is_standard_output(tmp_path / "none")


@pytest.mark.parametrize("name", ["in.txt", "link", "other"])
def test_an_output_that_is_an_input_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.txt").write_text("fine\t1\ndull\t0\n")
    (tmp_path / "link").symlink_to("in.txt")
    os.link(tmp_path / "in.txt", tmp_path / "other")
    with pytest.raises(SystemExit):
        main(["augment_data", f"--input={tmp_path / 'in.txt'}", f"--output={tmp_path / name}", "--analyzer=whitespace"])
    assert f"{name}: is an input too, and would be overwritten" in capsys.readouterr().err
    assert (tmp_path / "in.txt").read_text() == "fine\t1\ndull\t0\n"


def test_a_device_may_be_both(tmp_path: Path) -> None:
    check_apart(Path("/dev/null"), [Path("/dev/null"), tmp_path / "none"])


@pytest.mark.parametrize("name", ["pipe", "pipe.txt"])
def test_a_pipe_is_read_once_and_copied(name: str, tmp_path: Path) -> None:
    with feeding(tmp_path / name, b"fine\t1\ndull\t0\n") as pipe:
        assert [example.label for example in read_examples(pipe)] == ["1", "0"]
    assert [example.label for example in read_examples(pipe)] == ["1", "0"]
    assert rereadable(pipe).read_bytes() == b"fine\t1\ndull\t0\n" and pipe.is_fifo()


def test_parquet_from_a_pipe_is_read(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"text": ["fine"], "label": ["1"]}), tmp_path / "a.parquet")
    with feeding(tmp_path / "pipe.parquet", (tmp_path / "a.parquet").read_bytes()) as pipe:
        assert read_examples(pipe)[0].text == "fine"


def test_a_data_set_from_a_pipe_is_that_of_the_file(tiny_data: Path, tmp_path: Path) -> None:
    content = (tiny_data / "train.txt").read_bytes()
    (tmp_path / "file.txt").write_bytes(content)
    with feeding(tmp_path / "pipe", content) as pipe:
        assert load_corpus(str(pipe), 1).splits == load_corpus(str(tmp_path / "file.txt"), 1).splits


def test_splits_may_be_pipes(tmp_path: Path) -> None:
    write_data(tmp_path)
    content = (tmp_path / "test.txt").read_bytes()
    (tmp_path / "test.txt").unlink()
    with feeding(tmp_path / "test.txt", content):
        assert len(load_corpus(str(tmp_path), 1).splits["test"]) == 20


def test_standard_input_is_a_file_by_its_name_too(student: Path, tiny_data: Path) -> None:
    def run(*command: str, content: str) -> str:
        words = [sys.executable, "-m", "potstill.cli", *command, "--quiet"]
        return subprocess.run(words, input=content, capture_output=True, text=True, check=True).stdout

    assert run("predict", str(student), "--input=/dev/stdin", content="a\nb\n").count("\n") == 2
    augmented = run(
        *("augment_data", "--input=/dev/stdin", "--output=-", "--analyzer=whitespace", "--no-augment"),
        content=(tiny_data / "test.txt").read_text(),
    )
    assert augmented.endswith("\tdummy\n")


@pytest.mark.parametrize(
    ("name", "complaint"), [(".", "Is a directory"), (LONG, "File name too long"), ("none", "no such file")]
)
def test_what_the_system_refuses_to_read_is_one_line(name: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for read in (check_input, open_array, open_tokenizer, potstill.load, lambda path: load_vectors(f"{path}/x.txt")):
        with pytest.raises(PotstillError) as raised:
            read(path)
        assert "\n" not in str(raised.value) and "damaged" not in str(raised.value)
    with pytest.raises(PotstillError, match=complaint):
        check_input(path)


@pytest.mark.parametrize(
    "command",
    [
        "predict STUDENT --input=PLACE",
        "predict PLACE --input=DATA/test.txt",
        "predict STUDENT --input=DATA/test.txt --output=PLACE",
        "augment_data --input=PLACE.txt --output=new.raw --analyzer=whitespace",
        "augment_data --input=DATA/test.txt --output=PLACE --analyzer=whitespace",
        "report PLACE",
        "verify PLACE",
        "export PLACE",
        "bench PLACE --data=DATA",
        "bench STUDENT --data=PLACE",
        "distill --data=PLACE.txt --teacher=PLACE --out=run",
        "distill --data=DATA --teacher=ENCODER --out=run --unlabelled PLACE.txt",
        "distill --data=DATA --teacher=ENCODER --out=run --transfer PLACE",
        "distill --data=DATA --teacher=ENCODER --out=run --student_init=PLACE",
        "distill --data=DATA --teacher=ENCODER --out=run --embedding_path=PLACE",
        "distill --data=DATA --teacher=ENCODER --out=PLACE --analyzer=whitespace --embedding_path=VECTORS",
        "pretrain --encoder=PLACE --text=DATA/train.txt --out=run",
        "pretrain --encoder=ENCODER --text=PLACE.txt --out=run",
        "label --input=PLACE --output=out --teacher=ENCODER",
        "label --input=DATA/test.txt --output=out --teacher=PLACE",
        "preprocess --config=PLACE --data_dir=DATA",
        "preprocess --config=CONFIG --data_dir=PLACE",
        "preprocess --config=CONFIG --data_dir=DATA --embedding_path=PLACE",
        "train --config=CONFIG --data_dir=PLACE",
        "evaluate --config=CONFIG --data_dir=DATA --model_path=PLACE",
        "serve PLACE",
        "push PLACE me/student",
    ],
)
def test_a_name_that_is_too_long_is_one_line_everywhere(
    command: str,
    student: Path,
    tiny_data: Path,
    tiny_encoder: Path,
    tiny_vectors: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = Path("configs/config-glove-cnn.json").absolute()
    monkeypatch.chdir(tmp_path)
    names = {"STUDENT": student, "DATA": tiny_data, "ENCODER": tiny_encoder, "VECTORS": tiny_vectors, "CONFIG": config}
    for name, path in (names | {"PLACE": tmp_path / LONG}).items():
        command = command.replace(name, str(path))
    with pytest.raises(SystemExit) as raised:
        main([*command.split(), "--quiet"])
    printed = capsys.readouterr().err
    assert raised.value.code == 2 and printed.startswith("potstill: ") and printed.count("\n") == 1


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file of Linux that gives an error of the disk")
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl", "a.parquet", "a.npy", "a.vec.gz", "tokenizer.json"])
def test_an_error_of_the_disk_is_no_damage(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.symlink_to("/proc/self/mem")
    readers: dict[str, Callable[[], object]] = {
        ".npy": lambda: open_array(path),
        ".gz": lambda: load_vectors(str(path)),
        ".json": lambda: open_tokenizer(path),
    }
    for read in (readers.get(path.suffix, lambda: read_examples(path)), lambda: hash_file(path)):
        with pytest.raises(PotstillError, match=r"cannot be read \(Input/output error\); check the disk"):
            read()


def test_a_page_does_not_take_the_place_of_a_figure_that_it_shows(finished: Path) -> None:
    before = (finished / "run.json").read_bytes()
    with pytest.raises(PotstillError, match=r"run\.json: is an input too"):
        report_runs(ReportOptions((finished,), finished / "run.json"))
    assert (finished / "run.json").read_bytes() == before


# Root may read everything: these commands run without that right, which setpriv takes away.
WITHOUT_RIGHTS = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)
WITHOUT_NAME = ("setpriv", "--reuid=41234", "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root's right to give up rights")
@pytest.mark.parametrize(
    ("closed", "command"),
    [
        ("t.txt", "predict student --input=t.txt"),
        ("t.txt", "augment_data --input=t.txt --output=o --analyzer=whitespace"),
        ("t.txt", "distill --data=t.txt --teacher=teacher --out=run"),
        ("t.txt", "distill --data=data --teacher=teacher --out=run --unlabelled t.txt"),
        ("t.txt", "distill --data=data --teacher=teacher --out=run --transfer t.txt"),
        ("t.txt", "distill --data=data --teacher=teacher --out=run --embedding_path=t.txt"),
        ("u.txt", "label --input=u.txt --teacher=teacher --output=o"),
        ("student/config.json", "predict student --input=t.txt"),
        ("student/tokenizer.json", "predict student --input=t.txt"),
        ("student/plan.json", "predict student --input=t.txt"),
        ("student/model.safetensors", "predict student --input=t.txt"),
        ("student/model.safetensors", "export student"),
        ("student", "predict student --input=t.txt"),
        ("teacher/config.json", "label --input=u.txt --teacher=teacher --output=o"),
        ("teacher/tokenizer.json", "label --input=u.txt --teacher=teacher --output=o"),
        ("teacher/model.safetensors", "label --input=u.txt --teacher=teacher --output=o"),
    ],
)
def test_what_may_not_be_read_is_named_and_not_called_damaged(
    closed: str,
    command: str,
    student: Path,
    tiny_data: Path,
    classifier_folder: Callable[[dict[int, str]], Path],
    tmp_path: Path,
) -> None:
    shutil.copytree(student, tmp_path / "student")
    shutil.copytree(tiny_data, tmp_path / "data")
    shutil.copytree(classifier_folder({0: "0", 1: "1"}), tmp_path / "teacher")
    shutil.copy(tiny_data / "train.txt", tmp_path / "t.txt")
    (tmp_path / "u.txt").write_text("fine\ndull\n")
    (tmp_path / closed).chmod(0)
    words = [*WITHOUT_RIGHTS, sys.executable, "-m", "potstill.cli", *command.split(), "--quiet"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    error = done.stderr.splitlines()[-1]  # after a warning of the data's
    assert done.returncode == 2 and error.startswith(f"potstill: {closed}"), done.stderr
    assert "(Permission denied); ask its owner for the right" in error and "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root's right to give up rights")
def test_a_user_without_a_name_and_a_home_may_do_everything(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    command = f"distill --data={tiny_data} --teacher={tiny_encoder} --embedding_path={tiny_vectors} --out=run --quiet"
    command += " --analyzer=whitespace --student=cnn --n_iter=1 --teacher_epochs=1 --student_epochs=1 --gold_epochs=0"
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "POTSTILL_CACHE", "USER")}
    words = [*WITHOUT_NAME, sys.executable, "-m", "potstill.cli", *command.split()]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run"]  # no folder named ~


def test_what_goes_through_standard_output_is_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    with text_output(Path("-")) as out:
        out.write("부정\n")
    assert written.getvalue().decode() == "부정\n"
