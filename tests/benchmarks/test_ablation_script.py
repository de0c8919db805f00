"""benchmarks/ablation.py: its runs are commands that exist, and its table compares equal seeds."""

from pathlib import Path

import pytest

import ablation
from ablation import BASE, GOLD, Options, Reached
from potstill.artifacts import write_json
from potstill.cli import parse
from potstill.corpus.examples import Example
from potstill.runs.options import DistillOptions

OPTIONS = Options(Path("data"), "teacher", vectors="glove.txt", threads=1)


@pytest.mark.parametrize("name", ablation.changes(OPTIONS.vectors))
def test_each_change_is_a_command_that_differs_from_the_base(name: str) -> None:
    changed = ablation.changes(OPTIONS.vectors)[name]
    words = [ablation.command(OPTIONS, Path("data"), Path("out"), 1, options) for options in ({}, changed)]
    base, other = (parse(command)[1].options for command in words)
    assert isinstance(base, DistillOptions) and base != other
    assert base.student == ("cnn",) and base.student_steps == OPTIONS.steps and base.seed == 1


def test_gains_are_differences_to_the_base_of_the_same_seed() -> None:
    reached = {
        1: {BASE: Reached(0.8, 0.7), GOLD: Reached(0.7, 0.6)},
        2: {BASE: Reached(0.9, 0.8), GOLD: Reached(0.7, 0.68)},
    }
    base, gold = ablation.summarise(reached)
    assert base.gains == [0, 0] and gold.gains == pytest.approx([-10, -12])
    assert ablation.cells(base) == (BASE, "85.00", "75.00", "")
    assert ablation.cells(gold) == (GOLD, "70.00", "64.00", "-11.00 ± 1.41")


def test_a_variant_starts_as_links_to_the_bases_complete_stages(tmp_path: Path) -> None:
    stage, working = tmp_path / "base" / "teacher", tmp_path / "base" / "students" / ".cnn.partial"
    for folder in (stage, working):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
    ablation.start_from(tmp_path / "base", tmp_path / "other")
    assert (tmp_path / "other" / "teacher" / "file").samefile(stage / "file")
    assert not list((tmp_path / "other" / "students").iterdir())
    (tmp_path / "other" / "own").write_text("kept")
    ablation.start_from(tmp_path / "base", tmp_path / "other")
    assert (tmp_path / "other" / "own").read_text() == "kept"


def test_a_variant_starts_from_the_run_that_shares_most_with_it() -> None:
    changes = ablation.changes("glove")
    done: dict[str, dict[str, object]] = {BASE: {}} | changes
    assert ablation.nearest(changes["no masking"], {BASE: {}}) == BASE
    for vectors in ("teacher's vectors", "both vectors"):
        later = {name: done[name] for name in done if name != f"{vectors}, frozen"}
        assert ablation.nearest(changes[f"{vectors}, frozen"], later) == vectors


def test_the_student_and_its_baseline_are_read_from_the_evaluation(tmp_path: Path) -> None:
    names = ("teacher (x)", "cnn", "cnn, gold labels alone")
    scores = [{"name": name, "valid": {"accuracy": 0.5 + row}, "accuracy": row} for row, name in enumerate(names)]
    write_json(tmp_path / "evaluation" / "evaluation.json", {"scores": scores})
    assert ablation.read_scores(tmp_path, "cnn") == (Reached(1.5, 1), Reached(2.5, 2))
    write_json(tmp_path / "evaluation" / "evaluation.json", {"scores": scores[:2]})
    assert ablation.read_scores(tmp_path, "cnn") == (Reached(1.5, 1), None)


def test_lines_are_drawn_the_same_each_time_and_unknown_variants_refused() -> None:
    examples = [Example(str(number), "0") for number in range(50)]
    assert ablation.pick(examples, 5) == ablation.pick(examples, 5) != examples[:5]
    assert len(ablation.pick(examples, 0)) == 50
    with pytest.raises(SystemExit, match="no variant 'x': choose of no augmentation; no masking"):
        ablation.wanted(Options(Path("data"), "teacher", variants=("x",)))
