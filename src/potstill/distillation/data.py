"""``data``: the splits and the labels, whatever form they came in."""

from pathlib import Path

from potstill.artifacts import LABELS
from potstill.corpus.labels import write_labels
from potstill.corpus.splits import SPLITS, Corpus


def write_data(corpus: Corpus, work: Path) -> None:
    """``data``: the splits as Parquet and the labels, whatever form they came in."""
    import pyarrow
    import pyarrow.parquet

    for split in SPLITS:
        columns = {field: [getattr(row, field) for row in corpus.splits[split]] for field in ("text", "label")}
        pyarrow.parquet.write_table(pyarrow.table(columns), work / f"{split}.parquet", compression="zstd")
    write_labels(corpus.labels, work / LABELS)
