"""Each stage's result in a few lines of text, for the command line to print. Prints nothing itself."""

from collections.abc import Sequence
from functools import singledispatch

from potstill.commands.bench import Bench
from potstill.commands.export import Exported
from potstill.commands.label import LabelledTexts
from potstill.commands.predict import Predicted
from potstill.commands.push import Pushed
from potstill.commands.serve import Served
from potstill.commands.verify import Verified
from potstill.distillation.distill import Distilled, Planned
from potstill.evaluation.results import Score
from potstill.recipe.augment import Augmented
from potstill.recipe.evaluate import Evaluated, LabelledFile
from potstill.recipe.preprocess import Preprocessed
from potstill.recipe.train import Trained
from potstill.reporting.report import Reported

_COLUMNS = ("model", "accuracy", "macro F1", "ECE", "p50 ms", "p95 ms", "parameters", "MB")


@singledispatch
def report(result: object) -> str:
    """A stage's result in a few lines."""
    raise TypeError(f"no report of a {type(result).__name__}")


@report.register
def _(result: Distilled) -> str:
    lines = [
        score_table(result.scores),
        "",
        "accuracy and macro F1 on test, checkpoints picked on valid; ms a text on one thread, raw text to label",
        "ECE: how far a probability is from how often it is right, in points, on average on test",
        f"everything lies in {result.folder}: run.json, teacher/, transfer/, students/, student/, evaluation/",
        f"the figures, plots and samples of this run in a browser: {result.report}",
        "next:",
        f"  python -c \"import potstill; print(potstill.load('{result.student}').predict(['your text here']))\"",
    ]
    return "\n".join(lines)


@report.register
def _(result: Planned) -> str:
    return str(result)


@report.register
def _(result: Preprocessed) -> str:
    lines = [f"{len(result.labels)} labels: {', '.join(result.labels)}"]
    return "\n".join(lines + [f"{name} -> {folder}" for name, folder in result.encoded.items()])


@report.register
def _(result: Trained) -> str:
    return f"{result.folder}: best {result.measure} on valid {result.best:.4f}"


@report.register
def _(result: Augmented) -> str:
    return f"{result.path}: {result.n_texts} texts from {result.n_sources}"


@report.register
def _(result: LabelledFile) -> str:
    return f"{result.path}: {result.n_written} of {result.n_texts} texts, labelled"


@report.register
def _(result: Evaluated) -> str:
    return "\n".join(
        [
            f"[Accuracy] : {result.accuracy:.4f}, {result.correct:5d}/{result.total:5d}",
            f"[Elapsed Time] : {result.elapsed_ms}ms, {result.average_ms}ms on average",
        ]
    )


@report.register
def _(result: Exported) -> str:
    if not result.precisions:
        return f"{result.folder}: fp32 written; nothing was measured, as no --check was given"
    rows = [
        (
            name,
            f"{100 * one.accuracy:.2f}",
            f"{one.drop:+.2f}",
            f"{100 * one.agreement:.2f}",
            f"{one.p50_ms:.3f}",
            f"{one.megabytes:.2f}",
        )
        for name, one in result.precisions.items()
    ]
    return "\n".join(
        [
            table(("precision", "accuracy", "lost", "as fp32", "p50 ms", "MB"), rows),
            "",
            f"accuracy on the {result.n_valid} texts of valid; ms a text on one thread, raw text to label",
            f"{result.folder}: potstill.load takes {result.default}",
        ]
    )


@report.register
def _(result: Predicted) -> str:
    if str(result.output) == "-":
        return ""  # standard output holds the labels and nothing else
    return f"{result.output}: {result.n_lines} lines labelled with {', '.join(result.labels)}"


@report.register
def _(result: LabelledTexts) -> str:
    return f"{result.output}: {result.n_texts} texts labelled"


@report.register
def _(result: Bench) -> str:
    header = ("model", "accuracy", "MB", "threads", "batch", "p50 ms", "p95 ms", "p99 ms", "tokens", "model", "texts/s")
    rows = [
        (
            f"{row.name} {row.precision}",
            f"{100 * row.accuracy:.2f}",
            f"{row.megabytes:.2f}",
            f"{one.threads}",
            f"{one.batch}",
            *(f"{ms:.3f}" for ms in (one.p50_ms, one.p95_ms, one.p99_ms)),
            *("" if ms is None else f"{ms:.3f}" for ms in (one.tokenise_ms, one.model_ms)),
            f"{one.texts_per_second:,.0f}",
        )
        for row in result.rows
        for one in row.timings
    ]
    cascades = [
        (
            f"{row.name} {row.precision}",
            f"{route.threshold:g}",
            f"{100 * route.share:.1f}",
            f"{100 * route.accuracy:.2f}",
            f"{route.mean_ms:.3f}",
        )
        for row in result.rows
        for route in row.cascades
    ]
    lines = [table(header, rows), "", "milliseconds a call, raw text to label"]
    if cascades:
        lines += ["", table(("a cascade of", "below", "% to teacher", "accuracy", "mean ms"), cascades)]
    return "\n".join([*lines, *([f"{result.out}: bench.json, bench.svg"] if result.out else [])])


@report.register
def _(result: Reported) -> str:
    return f"{result.out}: {result.n_runs} {'run' if result.n_runs == 1 else 'runs'}; open it in a browser"


@report.register
def _(result: Pushed) -> str:
    return f"{result.repository}: {result.url}"


@report.register
def _(result: Served) -> str:
    return f"stopped after {result.n_requests} requests"


@report.register
def _(result: Verified) -> str:
    if result.faults:
        return "\n".join([*result.faults, f"{result.folder}: {len(result.faults)} found that is not as it is claimed"])
    measured = f", and {result.n_models} models answer as its table says" if result.n_models else ""
    return f"{result.folder}: {result.n_files} files are as they were written{measured}"


def score_table(scores: list[Score]) -> str:
    """The table: a row a model."""
    return table(_COLUMNS, [_cells(score) for score in scores])


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Lines of equal columns: names to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = []
    for row in (header, *rows):
        numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *numbers]))
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cells(score: Score) -> tuple[str, ...]:
    return (
        score.name,
        f"{100 * score.accuracy:.2f}",
        f"{100 * score.macro_f1:.2f}",
        f"{100 * score.calibration_error:.2f}",
        f"{score.p50_ms:.3f}",
        f"{score.p95_ms:.3f}",
        f"{score.parameters:,}",
        f"{score.megabytes:.2f}",
    )
