"""The model card of a run's student: ``README.md`` with the hub's metadata, from the figures of ``evaluation.json``."""

import re
from pathlib import Path
from typing import Any

from potstill.artifacts import CARD, TEMPERATURE, atomic_file, shards
from potstill.augment.analyzers import analyzer_language
from potstill.corpus.readers import READERS, ending
from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.corpus.splits import SPLITS
from potstill.evaluation.results import GOLD, Evaluation, Score, read_evaluation
from potstill.model_folder import NO_LIMIT, ModelFolder
from potstill.morphology import MORPHOLOGIES, is_morphological
from potstill.reporting.run import count_rows, data_source, write_command
from potstill.runs.contents import read_record, run_labels
from potstill.teachers.black_boxes import is_black_box

_HUB_METRICS = {"accuracy": "accuracy", "macro_f1": "f1", "micro_f1": "f1"}  # the hub's names, by those of a Score


def write_card(run: Path, folder: Path) -> None:
    """Write a run's student's card. It has no text of the data, and of absolute paths the last part alone: it is made
    to be published.

    :param folder: where the student's files are.
    """
    record, evaluation = read_record(run), read_evaluation(run)
    metadata = _metadata(record, evaluation, folder)
    with atomic_file(folder / CARD) as partial:
        partial.write_text(f"---\n{metadata}\n---\n\n{_body(run, record, evaluation, folder)}", encoding="utf-8")


def _metadata(record: dict[str, Any], evaluation: Evaluation, folder: Path) -> str:
    """The hub's metadata in YAML. The licence is the user's to choose: there is none."""
    from huggingface_hub import EvalResult, ModelCardData

    config, best = record["config"], evaluation.best
    is_file = any(ending(Path(name)) in READERS for name in record["data"])  # by the names of what was read
    is_on_hub = bool(config["data"]) and not is_file
    source = data_source(config)
    name = source.partition(":")[0] if is_on_hub else Path(source).stem
    columns = [column for column in evaluation.columns if column.field in _HUB_METRICS]
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=name,
            dataset_name=name,
            dataset_split="test",
            metric_type=_HUB_METRICS[column.field],
            metric_value=column.of(best),
            metric_name=column.title,
        )
        for column in columns
    ]
    data = ModelCardData(
        language=find_language(config),
        library_name="potstill",
        pipeline_tag="text-classification",
        tags=["distillation", "onnx"],
        base_model=_base_model(config, best, folder),
        datasets=[name] if is_on_hub else None,
        metrics=list(dict.fromkeys(_HUB_METRICS[column.field] for column in columns)) if evaluation.is_gold else None,
        model_name=best.name,
        eval_results=results if evaluation.is_gold else None,
    )
    text: str = data.to_yaml()
    return text.strip()


def find_language(config: dict[str, Any]) -> str | None:
    """The language of a run's text, as far as its analyzer tells: ``ko``, ``en``; None where it does not.

    :param config: the run's options.
    """
    name: str = config["analyzer"]
    is_used = is_morphological(name) or (config["augment"] and not config["transfer"])  # students read morphemes
    return analyzer_language(name) if is_used else None


def _base_model(config: dict[str, Any], best: Score, folder: Path) -> str | None:
    """The model on the hub that the student comes from: the teacher, or of a transformer itself."""
    from potstill.teachers.checkpoints import resolve

    name: str = config["teacher"]
    if not ModelFolder(folder).is_student:
        own = best.name.removesuffix(f"-{config['layers']}-layers")
        name = next((source for source in config["student"] if Path(source).name == own and source != "teacher"), name)
    return None if is_black_box(name) or Path(resolve(name)).exists() else name


def _body(run: Path, record: dict[str, Any], evaluation: Evaluation, folder: Path) -> str:
    from potstill.reporting.page import report_templates

    model, best = ModelFolder(folder), evaluation.best
    analyzer = model.config.get("analyzer")
    shown = {name: _without_folders(value) for name, value in record["config"].items()}
    templates = report_templates(autoescape=False)
    templates.filters["code"] = as_code
    return templates.get_template("card.md").render(
        name=f"{Path(data_source(shown)).stem} {best.name}",
        data=data_source(shown),
        is_gold=evaluation.is_gold,
        columns=evaluation.columns,
        takes_several=evaluation.task.takes_several,
        reads_pairs=bool(model.reads_pairs),
        best=best,
        scores=[
            score
            for score in evaluation.scores
            if score.role == "teacher" or score.folder in (best.folder, best.folder + GOLD)
        ],
        machine=evaluation.machine,
        labels=run_labels(run),
        versions=record["versions"],
        analyzer=analyzer,
        extra=MORPHOLOGIES[analyzer].extra if analyzer else "",
        is_transformer=not model.is_student,
        sizes={split: count_rows(run / "data" / f"{split}.parquet") for split in SPLITS},
        n_transfer=sum(map(count_rows, shards(run / "transfer"))),
        origin=_origin(record["config"]),
        learnt=_learnt(record["config"]),
        teachers=[shown["teacher"], *shown["ensemble"]],
        command=write_command(shown),
        temperature=model.config.get(TEMPERATURE),
        max_length=model.max_length if model.max_length < NO_LIMIT else None,
        config=shown,
        language=find_language(record["config"]),
    )


def _without_folders(value: Any) -> Any:
    """An option's value with the last part alone of every absolute path in it."""
    if isinstance(value, list):
        return [_without_folders(item) for item in value]
    if not isinstance(value, str):
        return value
    parts = [Path(part).name if Path(part).is_absolute() else part for part in value.split("+")]  # A+B: word vectors
    return "+".join(parts)


def _origin(config: dict[str, Any]) -> str:
    """Where the texts of the transfer set come from, in words."""
    if config["transfer"]:
        return "a set that came labelled"
    if not config["data"] and config["unlabelled"]:
        return "texts without labels, and new ones sampled from them" if config["augment"] else "texts without labels"
    parts = ["those of train", *(["new ones sampled from them"] if config["augment"] else [])]
    parts += ["others without labels"] if config["unlabelled"] else []
    return " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _learnt(config: dict[str, Any]) -> str:
    """What a student learnt of the texts of its transfer set, in words."""
    soft_labels = SoftLabelFilter(**config["soft_labels"])
    teachers = "teachers' averaged" if config["ensemble"] else "teacher's"
    learnt = f"{teachers} {'labels' if soft_labels.hard_labeling else 'logits'}"
    if soft_labels.entropy_threshold < 0:
        return learnt
    return f"{learnt}, where their entropy is at most {soft_labels.entropy_threshold:g} bits,"


def as_code(text: str) -> str:
    """A text as a code span of Markdown: whatever is in it is shown, and does nothing."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}"
