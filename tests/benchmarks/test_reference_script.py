"""benchmarks/reference.py: commands, tables, and what is put around the reference's code, on stand-ins for it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import reference
import reference_child
import reference_recipe
from potstill.cli import VERBS, parse
from potstill.corpus.examples import Example
from reference import Measured, Timed
from reference_recipe import Options, Place


def test_lines_bring_up_the_labels_in_sorted_order() -> None:
    examples = [Example(str(number), "0" if number % 7 == 3 else "1") for number in range(100)]
    lines = reference_recipe.pick_lines(examples, 40)
    assert [example.label for example in lines[:2]] == ["0", "1"]
    assert len(set(lines)) == len(lines) == 40 and set(lines) < set(examples)
    assert len(reference_recipe.pick_lines(examples, 0)) == 100


@pytest.mark.parametrize("bf16", [False, True])
def test_our_commands_exist_with_their_options(tmp_path: Path, bf16: bool) -> None:
    options = Options(tmp_path, tmp_path, tmp_path, bf16=bf16, epochs=2)
    places = [Place(tmp_path / side, reference.ROOT / "configs") for side in ("reference", "ours")]
    stages = list(reference_recipe.stages(options, places[0], places[1], tmp_path))
    assert len(stages) == 4 + 2 * 3
    for stage in stages:
        verb, parsed, _ = parse(stage.potstill)
        assert isinstance(parsed, VERBS[verb].options)
        assert stage.reference[0] in reference_child.ADAPTATIONS
    training = parse(stages[4].potstill)[1]
    assert (training.optimisation.epoch, training.optimisation.bf16, training.augmented) == (2, bf16, True)


def test_the_table_has_medians_their_ratio_and_the_sum() -> None:
    def round_of(reference_seconds: float, potstill_seconds: float) -> Measured:
        times = {
            stage: {"reference": Timed(reference_seconds, 8), "ours": Timed(potstill_seconds, 2)} for stage in "ab"
        }
        return Measured(times, {"cnn": {"reference": 0.8, "ours": 0.9}}, {}, 0.0)

    rounds = [round_of(10, 1), round_of(20, 2), round_of(60, 4)]
    assert reference.summarise(rounds)[0] == ("a", "20.00", "2.00", "10.0", "8.00", "2.00", "4.0")
    assert reference.summarise(rounds)[2] == ("all", "40.00", "4.00", "10.0", "16.00", "4.00", "4.0")
    assert reference.accuracies(rounds) == [("cnn", "80.00", "90.00")]


def test_each_side_learns_its_own_labels_of_the_same_texts(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    reference_file, potstill_file = (folder / "augmented.raw.pred" for folder in folders)
    reference_file.write_text("a film\t0.0 0.5\na plot\t0.0 1.0\na film\t0.0 0.5\n")
    potstill_file.write_text("a film\t0.0 0.75\na plot\t0.0 1.0\n")
    assert reference.take_labels(*folders) == pytest.approx(0.25)
    assert (folders[0] / "augmented.txt").read_text() == reference_file.read_text()
    assert (folders[1] / "augmented.txt").read_text() == "a film\t0.0 0.75\na plot\t0.0 1.0\na film\t0.0 0.75\n"
    potstill_file.write_text("another\t0.0 0.5\na plot\t0.0 1.0\n")
    with pytest.raises(SystemExit, match="different texts"):
        reference.take_labels(*folders)


def test_configurations_are_copied_with_the_width_of_the_vectors(tmp_path: Path, tiny_vectors: Path) -> None:
    (tmp_path / "configs").mkdir()
    for name in ("bert-cls", *reference_recipe.STUDENTS.values()):
        fields = {"n_ctx": 100} if name == "bert-cls" else {"token_emb_dim": 300}
        (tmp_path / "configs" / f"config-{name}.json").write_text(json.dumps(fields))
    width = reference_recipe.write_vectors(str(tiny_vectors), tmp_path / "vectors.txt")
    reference_recipe.write_configs(tmp_path, tmp_path / "copies", width)
    assert json.loads((tmp_path / "copies" / "config-glove-cnn.json").read_text()) == {"token_emb_dim": 8}
    assert json.loads((tmp_path / "copies" / "config-bert-cls.json").read_text()) == {"n_ctx": 100}
    assert len((tmp_path / "vectors.txt").read_text().splitlines()[0].split()) == 9


def test_hard_labels_are_evaluated_by_cross_entropy_and_the_criterion_comes_back() -> None:
    seen = []
    options = SimpleNamespace(criterion="MSELoss")
    module: Any = SimpleNamespace(evaluate=lambda model, config, loader: seen.append(config["args"].criterion))
    reference_child.gold_labels_have_cross_entropy(module, {})
    module.evaluate(None, {"args": options}, None)
    assert seen == ["CrossEntropyLoss"] and options.criterion == "MSELoss"


def test_the_logits_that_are_written_are_the_last_ones_computed() -> None:
    module: Any = SimpleNamespace(get_soft_label=lambda options, row: [f"{number:.1f}" for number in row])
    reference_child.logits_are_written(module, {})
    assert module.get_soft_label(None, [1, 2]) == module.logits == ["1.0", "2.0"]


def test_every_adaptation_is_listed_with_its_scripts() -> None:
    adaptations = reference_child.adaptations()
    assert len(adaptations) == len(
        {adaptation for kinds in reference_child.ADAPTATIONS.values() for part in kinds for adaptation in part}
    )
    assert any(text.startswith("train.py, evaluate.py: torch.load") for text in adaptations)
    assert "None" not in " ".join(adaptations)


def test_a_script_of_a_checkout_runs_in_its_own_process_and_its_tagging_is_timed(tmp_path: Path) -> None:
    (tmp_path / "augment_data.py").write_text(
        "import sys, time, spacy\n"
        "def build_pos_dict(sentences): return {}\n"
        "def main():\n"
        "    print(sys.argv, build_pos_dict([]), spacy.load.__name__)\n"
        "    time.sleep(0.05)\n"
    )
    options = Options(tmp_path, tmp_path, tmp_path)
    times, printed = reference.run("reference", ["augment_data", "--lower"], options, tmp_path)
    assert "['augment_data.py', '--lower'] {} load_either" in printed
    assert set(times) == {"tagging", "sampling"} and times["sampling"].seconds >= 0.05
    with pytest.raises(SystemExit, match=r"reference failed: preprocess --x"):
        reference.run("reference", ["preprocess", "--x"], options, tmp_path)
