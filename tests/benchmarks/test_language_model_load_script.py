"""The benchmark of a language model's load, with few texts: what it counts, not how fast it is."""

from pathlib import Path

import pytest

from language_model_load import Options, measure


def test_it_loses_nothing_and_counts_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / "cache"))
    figures = measure(Options(texts=300, delay=0.01, concurrency=8, failures=0.1), tmp_path)
    assert figures["texts lost"] == figures["texts labelled twice"] == figures["answers paid for twice"] == 0
    assert 5 < figures["requests that failed"] < 100 and 0 < figures["share"] < 1
