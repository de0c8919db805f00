"""What is fuzzed: each target takes any bytes, and complains by an exception that is no :class:`PotstillError`.

The first byte of an input picks a form (a kind of file, one of a folder's files, a way to send a body); the rest is its
content. What is refused must be refused in one line; what is accepted must be right. Knows no fuzzer.
"""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzz_forms import LONGEST_ERROR, Form, Target, expect, make_target
from fuzz_http import http
from potstill.corpus.answers import Answers
from potstill.corpus.columns import DistillColumns
from potstill.corpus.examples import Example, read_examples, read_texts
from potstill.corpus.readers import READERS
from potstill.corpus.texts import parts_of
from potstill.corpus.transfer import TransferSet, read_transfer, transfer_parts, write_shard
from potstill.corpus.vector_files import load_vectors
from potstill.corpus.vectors import PieceVectors, WordVectors
from potstill.runtime.classifier import load

_PROBES = ["a b c", "\u2603 unknown", "f"]


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
    forms = [Form(_labelled(scratch / f"labelled{ending}"), seeds[ending]) for ending in READERS]
    forms += [Form(_unlabelled(scratch / f"texts{ending}"), texts.get(ending, seeds[ending])) for ending in READERS]
    forms += [Form(_transfer(scratch / f"transfer{ending}"), seeds) for ending, seeds in transfer.items()]
    return make_target([*forms, *_answer_forms(scratch)])


def _answer_forms(scratch: Path) -> list[Form]:
    """Transfer sets whose answers are in columns."""
    each = DistillColumns("review", label_columns=("yes", "no"))
    lists = DistillColumns(probability_column="scores")
    labels = DistillColumns(label_column="mood")
    table = _parquet({"text": ["fine", "dull"], "scores": [[0.5, 0.5], [1.0, 0.0]]})
    seeds = {
        "each.csv": (each, b'review,no,yes\n"a, ""fine""\nfilm",0.25,0.75\n\ndull,1,0\n'),
        "each.jsonl": (each, b'{"review": "fine", "no": 0.25, "yes": 0.75}\n{"review": "dull", "no": 1, "yes": 0}\n'),
        "lists.jsonl": (lists, b'{"text": "fine", "scores": [0.25, 0.75]}\n{"text": "dull", "scores": [1, 0]}\n'),
        "lists.parquet": (lists, table),
        "labels.csv": (labels, b"text,mood\nfine,yes\ndull,no\n"),
    }
    return [Form(_answered(scratch / name, columns), [seed]) for name, (columns, seed) in seeds.items()]


def _answered(path: Path, columns: DistillColumns) -> Callable[[bytes], None]:
    answers = Answers(columns, ["no", "yes"])

    def read(content: bytes) -> None:
        path.write_bytes(content)
        for part in transfer_parts(path, answers):
            _check_transfer(part)
            expect(bool(np.allclose(np.exp(part.logits).sum(axis=1), 1, atol=1e-5)), "probabilities do not add up to 1")

    return read


def _labelled(path: Path) -> Callable[[bytes], None]:
    again = path.with_name("again.jsonl")

    def read(content: bytes) -> None:
        path.write_bytes(content)
        examples = read_examples(path)
        if path.suffix in (".txt", ".tsv", ".jsonl"):
            expect(len(examples) == n_lines(content), "a line that is not blank has no example")
        again.write_text("".join(json.dumps(_record(example)) + "\n" for example in examples))
        expect(read_examples(again) == examples, "other examples when they are written and read again")

    return read


def _record(example: Example) -> dict[str, object]:
    record: dict[str, object] = {"text": example.text, "label": example.label}
    return record if example.pair is None else record | {"text_pair": example.pair}


def _unlabelled(path: Path) -> Callable[[bytes], None]:
    def read(content: bytes) -> None:
        path.write_bytes(content)
        texts = list(read_texts(path))
        expect(all(text.strip() for text in texts), "an empty text")
        if path.suffix in (".txt", ".tsv", ".jsonl"):
            expect(len(texts) == n_lines(content), "a line that is not blank has no text")

    return read


def _transfer(path: Path) -> Callable[[bytes], None]:
    again = path.with_name("again.parquet")

    def read(content: bytes) -> None:
        path.write_bytes(content)
        transfer = read_transfer(path)
        _check_transfer(transfer)
        if path.suffix == ".txt":
            expect(len(transfer.texts) == n_lines(content), "a line that is not blank has no text")
            return
        write_shard(again, transfer.texts, transfer.logits)
        same = read_transfer(again)
        expect(
            same.texts == transfer.texts and np.array_equal(same.logits, transfer.logits), "another set when read again"
        )

    return read


def _check_transfer(transfer: TransferSet) -> None:
    expect(
        transfer.logits.shape[0] == len(transfer.texts) and transfer.logits.shape[1] > 1,
        f"logits {transfer.logits.shape}",
    )
    expect(bool(np.isfinite(transfer.logits).all()), "logits that are not finite")
    expect(all(part.strip() for part in parts_of(transfer.texts)), "an empty text")


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
    return make_target(
        [
            Form(_vector_text(scratch / "vectors.txt"), text),
            Form(_vector_file(scratch / "vectors.gz"), [gzip.compress(text[0], mtime=0)]),
            Form(_vector_file(scratch / "words.npy"), [npy.getvalue()]),
            Form(_static(scratch / "weights", "model.safetensors", "tokenizer.json", tokenizer), [weights]),
            Form(_static(scratch / "pieces", "tokenizer.json", "model.safetensors", weights), [tokenizer]),
        ]
    )


def _vector_text(path: Path) -> Callable[[bytes], None]:
    again = path.with_name("again.txt")

    def read(content: bytes) -> None:
        path.write_bytes(content)
        loaded = load_vectors(str(path))
        check_vectors(loaded)
        assert isinstance(loaded, WordVectors)
        rows = (" ".join(map(repr, row)) for row in loaded.table.astype(float).tolist())
        header = f"{len(loaded.words)} {loaded.width}\n"
        lines = [f"{word} {row}\n" for word, row in zip(loaded.words, rows, strict=True)]
        again.write_text(header + "".join(lines), encoding="utf-8", newline="")
        same = load_vectors(str(again))
        assert isinstance(same, WordVectors)
        expect(same.words == loaded.words and np.array_equal(same.table, loaded.table), "other vectors when read again")

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


def check_vectors(loaded: Any) -> None:
    """Word vectors are one finite row a word, whichever word is looked up."""
    assert isinstance(loaded, WordVectors | PieceVectors)
    table: NDArray[np.float32] = loaded.table
    expect(table.dtype == np.float32 and table.ndim == 2 and loaded.width > 0, f"{table.dtype} {table.shape}")
    expect(bool(np.isfinite(table).all()), "numbers that are not finite")
    if isinstance(loaded, WordVectors):
        expect(len(loaded.words) == len(table), "not a row a word")
    words = [*loaded.frequent_words(3), "no such word", "\u2603"]
    rows = loaded.look_up(words, np.random.default_rng(0))
    expect(rows.shape == (len(words), loaded.width) and bool(np.isfinite(rows).all()), f"vectors {rows.shape}")


def student(scratch: Path, student: Path) -> Target:
    """A model's folder in which one file is the input."""
    copytree(student, scratch / "model")
    precision = b'{"default": "fp32"}'
    names = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.onnx")
    forms = [Form(_folder(scratch / "model", name), [(student / name).read_bytes()]) for name in names]
    return make_target([*forms, Form(_folder(scratch / "model", "precision.json"), [precision])])


def _folder(folder: Path, name: str) -> Callable[[bytes], None]:
    good = (folder / name).read_bytes() if (folder / name).is_file() else None

    def read(content: bytes) -> None:
        (folder / name).write_bytes(content)
        try:
            model = load(folder, threads=1)
            probabilities = model.predict_proba(_PROBES)
            expect(probabilities.shape == (len(_PROBES), len(model.classes_)), f"probabilities {probabilities.shape}")
        finally:
            (folder / name).unlink() if good is None else (folder / name).write_bytes(good)

    return read


def core(scratch: Path, student: Path) -> Target:
    """The native core: a student's folder in which one of the files that it reads is the input."""
    import potstill_core

    copytree(student, scratch / "core")
    names = ("config.json", "tokenizer.json", "plan.json", "model.safetensors")
    paths = [scratch / "core" / name for name in names]

    def read(path: Path, good: bytes) -> Callable[[bytes], None]:
        def check(content: bytes) -> None:
            path.write_bytes(content)
            try:
                model = potstill_core.Student(*map(str, paths))
            except ValueError as error:
                expect(len(str(error)) <= LONGEST_ERROR and str(error).isprintable(), f"no one line: {error!r}")
            except OSError:
                expect(not content, "a file that is not empty cannot be read")
            else:
                n_rows = len(_PROBES) // (1 + model.reads_pairs)
                texts = _PROBES[: n_rows * (1 + model.reads_pairs)]
                model.logits(texts, np.zeros((n_rows, model.n_labels), np.float32))
            finally:
                path.write_bytes(good)

        return check

    return make_target([Form(read(path, path.read_bytes()), [path.read_bytes()]) for path in paths])


TARGETS: dict[str, Callable[[Path, Path], Target]] = {
    "readers": readers,
    "vectors": vectors,
    "student": student,
    "core": core,
    "http": http,
}
"""By name: from a scratch folder and a student's folder to the target."""
