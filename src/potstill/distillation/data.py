"""``data``: the splits and the labels, whatever form they came in."""

from pathlib import Path

from potstill.artifacts import LABELLED, LABELS
from potstill.corpus.examples import Example
from potstill.corpus.labels import write_labels
from potstill.corpus.splits import SPLITS
from potstill.runs.job import Job, Stage


def data_stage(job: Job) -> Stage:
    """The stage that every other one reads."""
    after = () if job.corpus.is_gold else (LABELLED,)
    inputs = {"data": job.corpus.hashes, "seed": job.corpus.seed, **job.options.data_columns.as_inputs}
    if job.options.unknown_labels != "error":
        inputs["unknown_labels"] = job.options.unknown_labels
    return Stage("data", after, inputs, _write_data)


def _write_data(job: Job, work: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    fields = ("text", "label", *(["text_pair"] if job.corpus.is_paired else []))
    for split in SPLITS:
        columns = {field: [_value(row, field) for row in job.corpus.splits[split]] for field in fields}
        pyarrow.parquet.write_table(pyarrow.table(columns), work / f"{split}.parquet", compression="zstd")
    write_labels(job.labels, work / LABELS)


def _value(example: Example, field: str) -> object:
    if field == "label":
        return list(example.label) if isinstance(example.label, tuple) else example.label
    return example.pair if field == "text_pair" else example.text
