"""What is fuzzed: each target takes any bytes, and complains by an exception that is no :class:`PotstillError`.

The first byte of an input picks a form (a kind of file, one of a folder's files, a way to send a body); the rest is its
content. What is refused must be refused in one line; what is taken must be right. Knows no fuzzer.
"""

import asyncio
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.examples import READERS, Example, read_examples, read_texts
from potstill.corpus.transfer import TransferSet, read_transfer, write_shard
from potstill.corpus.vector_files import load_vectors
from potstill.corpus.vectors import PieceVectors, WordVectors
from potstill.errors import PotstillError
from potstill.progress import silent
from potstill.runtime.classifier import load
from potstill.serving.app import create_app
from potstill.serving.limits import Limits
from potstill.serving.metrics import Metrics
from potstill.serving.models import Loader

LONGEST_ERROR = 1000  # characters, the path's excepted
_PROBES = ["a b c", "\u2603 unknown", "f"]


class Finding(AssertionError):
    """Something that was taken, but is not right."""


@dataclass(frozen=True)
class Target:
    """One entry for bytes from outside.

    :param check: raises for an input that is not met as it should be.
    :param seeds: inputs to start from, one at least for each form.
    :param close: ends what it has open.
    """

    check: Callable[[bytes], None]
    seeds: list[bytes]
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class _Form:
    """One kind of content, and how it is read.

    :param read: from the content; raises :class:`Finding` when what it gives is wrong.
    :param seeds: good contents.
    """

    read: Callable[[bytes], None]
    seeds: list[bytes]


def _target(forms: list[_Form]) -> Target:
    def check(given: bytes) -> None:
        if not given:
            return
        try:
            forms[given[0] % len(forms)].read(given[1:])
        except PotstillError as error:
            expect("\n" not in str(error), f"an error of several lines: {error}")
            expect(len(str(error)) <= LONGEST_ERROR, f"an error of {len(str(error))} characters")

    return Target(check, [bytes([index]) + seed for index, form in enumerate(forms) for seed in form.seeds])


def expect(holds: bool, complaint: str) -> None:
    """Raise a finding unless something holds."""
    if not holds:
        raise Finding(complaint)


def readers(scratch: Path, student: Path) -> Target:
    """Labelled text, texts without labels, transfer sets."""
    table = _parquet({"text": ["a fine film", "dull"], "label": ["yes", "no"]})
    seeds = {
        ".txt": [b"a fine film\tyes\n\ndull\tno\n", b"\xef\xbb\xbfa\tb\t1\r\nc\td\t0\r\n"],
        ".tsv": [b"a\t1\n"],
        ".csv": [b'text,label\n"a, ""fine""\nfilm",1\n\ndull,0\n', b"label,sentence1,sentence2\n1,a,b\n"],
        ".jsonl": [b'{"text": "fine \\u00e9", "label": 1}\n{"sentence": "dull", "label": "no"}\n'],
        ".parquet": [table, _parquet({"text": ["a"], "text_pair": ["b"], "label": [3], "more": [None]})],
    }
    texts = {".txt": [b"fine\n\ndull\n"]}
    logits = _parquet({"text": ["fine", "dull"], "logits": [[0.5, -1.0], [2.0, 1e3]]})
    transfer = {".txt": [b"fine\t0.5 -1\ndull\t2 1e3\n"], ".parquet": [logits]}
    forms = [_Form(_labelled(scratch / f"labelled{ending}"), seeds[ending]) for ending in READERS]
    forms += [_Form(_unlabelled(scratch / f"texts{ending}"), texts.get(ending, seeds[ending])) for ending in READERS]
    forms += [_Form(_transfer(scratch / f"transfer{ending}"), seeds) for ending, seeds in transfer.items()]
    return _target(forms)


def _labelled(path: Path) -> Callable[[bytes], None]:
    again = path.with_name("again.jsonl")

    def read(content: bytes) -> None:
        path.write_bytes(content)
        found = read_examples(path)
        if path.suffix in (".txt", ".tsv", ".jsonl"):
            expect(len(found) == n_lines(content), "a line that is not blank has no example")
        again.write_text("".join(json.dumps(_record(example)) + "\n" for example in found))
        expect(read_examples(again) == found, "other examples when they are written and read again")

    return read


def _record(example: Example) -> dict[str, str]:
    record = {"text": example.text, "label": example.label}
    return record if example.pair is None else record | {"text_pair": example.pair}


def _unlabelled(path: Path) -> Callable[[bytes], None]:
    def read(content: bytes) -> None:
        path.write_bytes(content)
        found = list(read_texts(path))
        expect(all(text.strip() for text in found), "an empty text")
        if path.suffix in (".txt", ".tsv", ".jsonl"):
            expect(len(found) == n_lines(content), "a line that is not blank has no text")

    return read


def _transfer(path: Path) -> Callable[[bytes], None]:
    again = path.with_name("again.parquet")

    def read(content: bytes) -> None:
        path.write_bytes(content)
        found = read_transfer(path)
        _check_transfer(found)
        if path.suffix == ".txt":
            expect(len(found.texts) == n_lines(content), "a line that is not blank has no text")
            return
        write_shard(again, found.texts, found.logits)
        same = read_transfer(again)
        expect(same.texts == found.texts and np.array_equal(same.logits, found.logits), "another set when read again")

    return read


def _check_transfer(found: TransferSet) -> None:
    expect(found.logits.shape[0] == len(found.texts) and found.logits.shape[1] > 1, f"logits {found.logits.shape}")
    expect(bool(np.isfinite(found.logits).all()), "logits that are not finite")
    expect(all(text.strip() for text in found.texts), "an empty text")


def n_lines(content: bytes) -> int:
    """The lines of a file that are not blank."""
    return sum(1 for line in content.decode("utf-8-sig").split("\n") if line.strip())


def _parquet(columns: dict[str, Any]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file, compression="none", store_schema=False)
    return file.getvalue()


def vectors(scratch: Path, student: Path) -> Target:
    """Word vectors: text, compressed text, a table with its words, a static model's two files."""
    from safetensors.numpy import save
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.pre_tokenizers import Whitespace

    text = [b"the 0.5 1\nfilm -1 2\n", b"2 3\nthe 0.5 1 2 \nfilm -1 2 3 \n", b". . . 1 2\na 1 2\n"]
    table = np.arange(8, dtype=np.float32).reshape(4, 2)
    pieces = Tokenizer(WordPiece({"[UNK]": 0, "film": 1, "##s": 2, "the": 3}, unk_token="[UNK]"))
    pieces.pre_tokenizer = Whitespace()
    weights, tokenizer = save({"embeddings": table}), pieces.to_str().encode()
    (scratch / "words.txt").write_text("the\nfilm\na\nb\n")
    npy = io.BytesIO()
    np.save(npy, table)
    return _target(
        [
            _Form(_vector_text(scratch / "vectors.txt"), text),
            _Form(_vector_file(scratch / "vectors.gz"), [gzip.compress(text[0], mtime=0)]),
            _Form(_vector_file(scratch / "words.npy"), [npy.getvalue()]),
            _Form(_static(scratch / "weights", "model.safetensors", "tokenizer.json", tokenizer), [weights]),
            _Form(_static(scratch / "pieces", "tokenizer.json", "model.safetensors", weights), [tokenizer]),
        ]
    )


def _vector_text(path: Path) -> Callable[[bytes], None]:
    again = path.with_name("again.txt")

    def read(content: bytes) -> None:
        path.write_bytes(content)
        found = load_vectors(str(path))
        check_vectors(found)
        assert isinstance(found, WordVectors)
        rows = (" ".join(map(repr, row)) for row in found.table.astype(float).tolist())
        header = f"{len(found.words)} {found.width}\n"
        lines = [f"{word} {row}\n" for word, row in zip(found.words, rows, strict=True)]
        again.write_text(header + "".join(lines), encoding="utf-8", newline="")
        same = load_vectors(str(again))
        assert isinstance(same, WordVectors)
        expect(same.words == found.words and np.array_equal(same.table, found.table), "other vectors when read again")

    return read


def _vector_file(path: Path) -> Callable[[bytes], None]:
    def read(content: bytes) -> None:
        path.write_bytes(content)
        check_vectors(load_vectors(str(path)))

    return read


def _static(folder: Path, name: str, other: str, content_of_other: bytes) -> Callable[[bytes], None]:
    folder.mkdir()
    (folder / other).write_bytes(content_of_other)

    def read(content: bytes) -> None:
        (folder / name).write_bytes(content)
        check_vectors(load_vectors(str(folder)))

    return read


def check_vectors(found: Any) -> None:
    """Word vectors are one finite row a word, whichever word is asked for."""
    assert isinstance(found, WordVectors | PieceVectors)
    table: NDArray[np.float32] = found.table
    expect(table.dtype == np.float32 and table.ndim == 2 and found.width > 0, f"{table.dtype} {table.shape}")
    expect(bool(np.isfinite(table).all()), "numbers that are not finite")
    if isinstance(found, WordVectors):
        expect(len(found.words) == len(table), "not a row a word")
    words = [*found.frequent_words(3), "no such word", "\u2603"]
    rows = found.look_up(words, np.random.default_rng(0))
    expect(rows.shape == (len(words), found.width) and bool(np.isfinite(rows).all()), f"vectors {rows.shape}")


def student(scratch: Path, student: Path) -> Target:
    """A model's folder in which one file is the input."""
    copytree(student, scratch / "model")
    precision = b'{"default": "fp32"}'
    names = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.onnx")
    forms = [_Form(_folder(scratch / "model", name), [(student / name).read_bytes()]) for name in names]
    return _target([*forms, _Form(_folder(scratch / "model", "precision.json"), [precision])])


def _folder(folder: Path, name: str) -> Callable[[bytes], None]:
    good = (folder / name).read_bytes() if (folder / name).is_file() else None

    def read(content: bytes) -> None:
        (folder / name).write_bytes(content)
        try:
            model = load(folder, threads=1)
            found = model.predict_proba(_PROBES)
            expect(found.shape == (len(_PROBES), len(model.classes_)), f"probabilities {found.shape}")
        finally:
            (folder / name).unlink() if good is None else (folder / name).write_bytes(good)

    return read


_JSON = (b"content-type", b"application/json")


def http(scratch: Path, student: Path) -> Target:
    """The body of a request, through the whole application, without a socket."""
    limits, metrics = Limits(max_texts=4, max_characters=200, max_body=2000), Metrics()
    models = Loader(1, limits, metrics, silent).open([f"one={student}"], None, None)
    app = create_app(models, limits, metrics, None)
    offline = load(student, threads=1)
    loop = asyncio.new_event_loop()

    def ask(path: str, headers: list[tuple[bytes, bytes]], parts: list[bytes]) -> tuple[int, Any]:
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        messages.append({"type": "http.request", "body": b"", "more_body": False})
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
            "client": None, "server": None,
        }  # fmt: skip
        loop.run_until_complete(app(scope, receive, send))
        return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))

    def predict(headers: list[tuple[bytes, bytes]], parts: Callable[[bytes], list[bytes]]) -> Callable[[bytes], None]:
        def read(content: bytes) -> None:
            status, body = ask("/predict", headers, parts(content))
            _check_refusal(status, body)
            if status == 200:
                given = json.loads(content)
                texts = given["texts"] if given.get("texts") is not None else [given["text"]]
                found = [answer["label"] for answer in body["answers"]]
                expect(found == offline.predict(texts).tolist(), f"another answer than without a server: {body}")

        return read

    def explain(content: bytes) -> None:
        status, body = ask("/explain", [_JSON], [content])
        _check_refusal(status, body)

    def length(content: bytes) -> None:
        """The input is the length that the headers say."""
        headers = [_JSON, (b"content-length", content), (b"expect", b"100-continue")]
        status, body = ask("/predict", headers, [b'{"text": "a"}'])
        _check_refusal(status, body)

    bodies = [b'{"text": "a b"}', b'{"texts": ["a", "b c \\u2603"], "model": "one"}', b'{"text": "a", "model": "x"}']

    def close() -> None:
        models.close()
        loop.close()

    target = _target(
        [
            _Form(predict([_JSON], lambda content: [content]), bodies),
            _Form(predict([_JSON], lambda content: [content[:7], content[7:]]), bodies[:1]),
            _Form(predict([], lambda content: [content]), bodies[:1]),
            _Form(explain, [b'{"text": "a b c"}']),
            _Form(length, [b"13", b"100000", b"9" * 5000]),
        ]
    )
    return replace(target, close=close)


def _check_refusal(status: int, body: Any) -> None:
    expect(status == 200 or 400 <= status < 500, f"status {status}")
    expect(isinstance(body, dict) and ("error" in body) == (status != 200), f"status {status} with {body}")


TARGETS: dict[str, Callable[[Path, Path], Target]] = {
    "readers": readers,
    "vectors": vectors,
    "student": student,
    "http": http,
}
"""By name: from a scratch folder and a student's folder to the target."""
