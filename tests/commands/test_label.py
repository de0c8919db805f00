"""Labelling Parquet files, on this machine and behind a URL; fsspec's memory stands in for a bucket."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from potstill.artifacts import FORMAT, read_manifest, shards
from potstill.cli import main
from potstill.commands.label import LabelOptions, label_files
from potstill.corpus.columns import TextColumns
from potstill.corpus.transfer import read_transfer, write_shard
from potstill.errors import PotstillError
from potstill.labelling import label
from stand_in_server import Reply, StandIn, expected, said, stand_in, text_of

UPath = pytest.importorskip("upath", reason="needs the extra ray").UPath
TEXTS = [["a fine film", "dull"], ["the story is [MASK]", "a bad cast", "and it doesn't end"]]
BUCKET = "memory://bucket"


def write(folder: Any, parts: list[list[Any]], column: str = "text") -> None:
    for number, texts in enumerate(parts):
        table = pyarrow.table({column: texts, "id": list(range(len(texts)))})
        sink = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(table, sink)
        (folder / f"{number}.parquet").write_bytes(sink.getvalue().to_pybytes())


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label, "PART_ROWS", 2)
    monkeypatch.setattr(label, "in_parts", lambda items: in_twos(items))


def in_twos(items: Iterator[Any]) -> Iterator[list[Any]]:
    left = list(items)
    return (left[start : start + 2] for start in range(0, len(left), 2))


@pytest.fixture
def teacher(classifier_folder: Callable[[dict[int, str]], Path]) -> str:
    return str(classifier_folder({0: "0", 1: "1"}))


@pytest.fixture
def bucket() -> Iterator[Any]:
    place = UPath(BUCKET)
    (place / "texts").mkdir(parents=True)
    yield place
    place.fs.rm(place.path, recursive=True)


@pytest.fixture
def local(tmp_path: Path, teacher: str, small_shards: None) -> Path:
    """A transfer set on this machine."""
    (tmp_path / "texts").mkdir()
    write(tmp_path / "texts", TEXTS)
    main(["label", f"--input={tmp_path / 'texts'}", f"--output={tmp_path / 'out'}", f"--teacher={teacher}"])
    return tmp_path / "out"


def test_files_become_the_shards_of_one_transfer_set_in_order(local: Path) -> None:
    assert [path.name for path in shards(local)] == [f"part-0000{number}.parquet" for number in range(3)]
    assert read_transfer(local).texts == [text for part in TEXTS for text in part]
    manifest = read_manifest(local)
    assert manifest is not None and set(manifest["inputs"]) == {"texts", "teacher"}
    assert "torch" in manifest["inputs"]["teacher"].split()  # what ran the teacher


def test_behind_a_url_the_shards_are_the_same_and_the_missing_ones_are_made(
    local: Path, teacher: str, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(bucket / "texts", TEXTS)
    options = LabelOptions(f"{BUCKET}/texts", f"{BUCKET}/out", teacher=teacher)
    assert str(label_files(options)) == f"{BUCKET}/out: 5 texts labelled"
    expected = {path.name: path.read_bytes() for path in shards(local)}
    assert {path.name: path.read_bytes() for path in shards(bucket / "out")} == expected
    manifest = json.loads((bucket / "out" / "manifest.json").read_text())
    assert manifest["format"] == FORMAT and manifest["hashes"] == (read_manifest(local) or {})["hashes"]
    assert manifest["files"] == {name: len(content) for name, content in expected.items()}
    (bucket / "out" / "part-00001.parquet").unlink()
    written: list[str] = []

    def write_one(path: Any, *rest: Any) -> None:
        written.append(path.name)
        write_shard(path, *rest)

    monkeypatch.setattr("potstill.labelling.local.write_shard", write_one)
    label_files(options)
    assert written == ["part-00001.parquet"]
    assert (bucket / "out" / "part-00001.parquet").read_bytes() == expected["part-00001.parquet"]


def test_an_output_begun_from_other_texts_is_not_continued(teacher: str, bucket: Any, small_shards: None) -> None:
    write(bucket / "texts", TEXTS)
    options = LabelOptions(f"{BUCKET}/texts", f"{BUCKET}/out", teacher=teacher)
    label_files(options)
    write(bucket / "texts", [["another text", "dull"]])
    with pytest.raises(PotstillError, match="out: was begun from other texts or with another teacher"):
        label_files(options)


def test_an_output_of_another_version_is_not_continued(teacher: str, bucket: Any, small_shards: None) -> None:
    write(bucket / "texts", TEXTS)
    options = LabelOptions(f"{BUCKET}/texts", f"{BUCKET}/out", teacher=teacher)
    label_files(options)
    manifest = json.loads((bucket / "out" / "manifest.json").read_text())
    (bucket / "out" / "manifest.json").write_text(json.dumps(manifest | {"format": 0}))
    with pytest.raises(PotstillError, match=r"out: made by another version of potstill: .* format 0"):
        label_files(options)


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        ("missing", "missing: no file of texts, and no folder of Parquet files"),
        ("memory://nowhere/x", "no file of texts"),
        ("foo://bucket/x", "foo://bucket/x: cannot be reached"),
        ("empty", "no file of texts"),
        ("named", "no column 'text'; it has words, id: give --text_column words"),
        ("damaged", "0.parquet: not a Parquet file"),
        ("holes", "0.parquet:2: no text"),
    ],
)
def test_texts_that_cannot_be_read_are_one_line(
    texts: str, complaint: str, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "named", "damaged", "holes"):
        Path(name).mkdir()
    write(Path("named"), TEXTS, column="words")
    Path("damaged/0.parquet").write_bytes(b"PAR1 and no more")
    write(Path("holes"), [["fine", None]])
    with pytest.raises(PotstillError, match=complaint):
        label_files(LabelOptions(texts, "out", teacher=teacher))


def test_a_url_without_its_library_is_one_line(teacher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "upath" else True)
    with pytest.raises(PotstillError, match=r"this needs upath, not installed here: pip install 'potstill\[ray\]'"):
        label_files(LabelOptions(f"{BUCKET}/texts", "out", teacher=teacher))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "a fine film\n\ndull\n"),
        ("a.tsv", "a fine film\ndull\n"),
        ("a.csv", "sentence;label\na fine film;1\ndull;0\n"),
        ("a.jsonl", '{"text": "a fine film"}\n{"text": "dull", "label": 0}\n'),
    ],
)
def test_a_file_of_any_form_is_labelled(name: str, content: str, teacher: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    labelled = label_files(LabelOptions(str(tmp_path / name), str(tmp_path / "out"), teacher=teacher))
    assert str(labelled).endswith("out: 2 texts labelled")
    assert read_transfer(tmp_path / "out").texts == ["a fine film", "dull"]


def test_pairs_are_labelled_from_columns(teacher: str, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("sentence1,sentence2\na film,it is fine\na film,it is dull\n")
    label_files(LabelOptions(str(table), str(tmp_path / "out"), teacher=teacher))
    assert read_transfer(tmp_path / "out").texts == [("a film", "it is fine"), ("a film", "it is dull")]
    (tmp_path / "named.csv").write_text("said,meant,text\na film,it is fine,?\na film,it is dull,?\n")
    command = f"label --input {tmp_path / 'named.csv'} --output {tmp_path / 'named'} --teacher {teacher}"
    main([*command.split(), "--text_column=said", "--text_pair_column=meant"])
    assert read_transfer(tmp_path / "named").texts == read_transfer(tmp_path / "out").texts
    with pytest.raises(PotstillError, match="nli:some: reads single texts, and these are pairs"):
        label_files(LabelOptions(str(table), str(tmp_path / "out"), teacher="nli:some", labels="a,b"))
    write(tmp_path, TEXTS[:1])
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a"], "text_pair": ["b"]}), tmp_path / "9.parquet")
    with pytest.raises(PotstillError, match=r"9\.parquet: pairs of texts, and the files before have single texts"):
        label_files(LabelOptions(str(tmp_path), str(tmp_path / "more"), teacher=teacher))


def test_parquet_has_the_names_of_columns_of_other_forms(teacher: str, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    write(tmp_path / "texts", TEXTS, column="sentence")
    label_files(LabelOptions(str(tmp_path / "texts"), str(tmp_path / "out"), teacher=teacher))
    assert read_transfer(tmp_path / "out").texts == [text for part in TEXTS for text in part]


def test_a_transfer_set_is_not_labelled_into_itself(local: Path, teacher: str) -> None:
    for name in (local, next(iter(shards(local)))):
        with pytest.raises(PotstillError, match="out: is an input too"):
            label_files(LabelOptions(str(name), str(local), teacher=teacher))
    assert read_manifest(local)


def test_a_pipe_is_labelled(teacher: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=(tmp_path / "pipe").write_text, args=("a fine film\ndull\n",), daemon=True).start()
    label_files(LabelOptions(str(tmp_path / "pipe"), str(tmp_path / "out"), teacher=teacher))
    assert read_transfer(tmp_path / "out").texts == ["a fine film", "dull"]


LABELS = """
[[label]]
name = "good"
description = "likes it"
[[label]]
name = "bad"
"""
PHRASES = ["a fine film", "dull", "I refuse", "the cast is warm"]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A server that refuses one text, beside a file of texts and one of labels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / "cache"))
    Path("texts.txt").write_text("".join(f"{text}\n" for text in PHRASES))
    Path("labels.toml").write_text(LABELS)
    no = Reply(said("", {"I": 1.0}, refusal="I cannot judge this"))
    with stand_in(lambda body, _: no if text_of(body) == "I refuse" else None) as server:
        yield server


def ask(server: StandIn, *more: str) -> None:
    main(["label", "--input=texts.txt", "--teacher=openai:small", f"--teacher_url={server.url}", "--quiet", *more])


def test_a_language_model_labels_and_what_it_refuses_is_listed(
    asked: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(asked, "--labels=labels.toml", "--output=out", "--price_in=1", "--price_out=2")
    printed = capsys.readouterr().out
    assert "out: 3 texts labelled, 1 left out (1 refused; left_out.jsonl lists them)" in printed
    # Two orders of four texts; the refused one is asked three times in an order, and the other order may be under way.
    assert "from logprobs (the 20 likeliest tokens) of letters, the mean over 2 orders" in printed and "cost" in printed
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "left_out.jsonl",
        "manifest.json",
        "part-00000.parquet",
    ]
    left_out = [json.loads(line) for line in Path("out/left_out.jsonl").read_text().splitlines()]
    assert left_out == [{"text": "I refuse", "reason": "refused: I cannot judge this"}]
    labelled = read_transfer(Path("out"))
    assert labelled.texts == [PHRASES[0], PHRASES[1], PHRASES[3]]
    np.testing.assert_allclose(
        np.exp(labelled.logits), [expected(text, ["good", "bad"]) for text in labelled.texts], atol=1e-5
    )
    n_before = asked.n_requests
    ask(asked, "--labels=labels.toml", "--output=again")
    assert asked.n_requests == n_before


def test_the_prompt_and_the_plan_send_nothing(asked: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    ask(asked, "--labels=labels.toml", "--show_prompt")
    assert "A) good: likes it\nB) bad" in (shown := capsys.readouterr().out) and shown.endswith("Text: a fine film\n")
    ask(asked, "--labels=good,bad", "--plan", "--price_in=1", "--price_out=1")
    assert "4 different texts: 8 requests to be sent" in capsys.readouterr().out
    assert asked.n_requests == 0


def test_a_language_model_must_be_told_the_labels(asked: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ask(asked, "--output=out")
    assert "openai:small: which labels may it give? Name them: --labels name,name" in capsys.readouterr().err
    assert asked.n_requests == 0


def test_a_budget_leaves_a_set_and_a_larger_one_goes_on_from_it(
    asked: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(asked, "--labels=good,bad", "--output=out", "--teacher_orders=1", "--max_requests=2")
    assert "out: 2 texts labelled, 2 left out (2 budget;" in capsys.readouterr().out
    ask(asked, "--labels=good,bad", "--output=out", "--teacher_orders=1")
    assert "out: 3 texts labelled, 1 left out (1 refused;" in capsys.readouterr().out
    assert asked.n_requests == 2 + 4  # the refused one is asked three times


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"teacher": "openai:small", "labels": "a,b", "engine": "ray"}, "is asked from here: leave --engine ray out"),
        ({"teacher": "openai:small", "labels": "a,b", "output": ""}, "no place for the transfer set: give --output"),
        ({"teacher": "folder", "labels": "a,b"}, "--labels: folder says itself what its labels are"),
        ({"teacher": "folder", "plan": True}, "show_prompt and plan are of a language model"),
    ],
)
def test_options_that_contradict_each_other_are_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        LabelOptions(**{"input": "texts.txt", "output": "out", **options})


def test_texts_may_be_in_a_column_of_any_name(teacher: str, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    write(tmp_path / "texts", TEXTS, column="review")
    (tmp_path / "a.csv").write_text("review,text\na fine film,7\n")
    for name, texts in (("texts", [text for part in TEXTS for text in part]), ("a.csv", ["a fine film"])):
        command = f"label --input {tmp_path / name} --output {tmp_path / 'out'} --teacher {teacher}"
        main([*command.split(), "--text_column", "review"])
        assert read_transfer(tmp_path / "out").texts == texts


def test_another_column_is_another_input(teacher: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("review,text\na fine film,dull\n")
    out = str(tmp_path / "out")
    for column, text in (("", "dull"), ("review", "a fine film")):
        label_files(
            LabelOptions(input=str(tmp_path / "a.csv"), output=out, teacher=teacher, columns=TextColumns(column))
        )
        assert read_transfer(tmp_path / "out").texts == [text]


def test_lines_of_text_have_no_column(teacher: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine\n")
    with pytest.raises(PotstillError, match=r"a\.txt: has no columns, but --text_column names one"):
        label_files(
            LabelOptions(
                input=str(tmp_path / "a.txt"),
                output=str(tmp_path / "out"),
                teacher=teacher,
                columns=TextColumns("review"),
            )
        )
