"""Report: one page that shows runs side by side, without any outside resource."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from potstill.artifacts import REPORT
from potstill.errors import PotstillError, require
from potstill.outputs import check_apart, is_standard_output, text_output
from potstill.progress import Progress, silent
from potstill.reporting.run import read_run


@dataclass(frozen=True)
class ReportOptions:
    """Show runs side by side on one page: figures, plots, training curves, what the students learnt from."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of finished runs."""
    out: Path | None = None
    """The page, an HTML file. Of a single run, if not given, report.html in its folder."""
    price: float = 0.05
    """Price of a core for an hour, in any currency: what the cost of a million predictions is reckoned with."""

    def __post_init__(self) -> None:
        if not self.runs:
            raise PotstillError("give the folder of a run, such as runs/NAME, or several")
        if self.out is None and len(self.runs) > 1:
            raise PotstillError("several runs on one page: say where to write it with --out FILE")
        if self.price < 0:
            raise PotstillError(f"--price={self.price:g}: must not be negative")


@dataclass(frozen=True)
class Reported:
    """A page.

    :param n_runs: that it shows.
    """

    out: Path
    n_runs: int

    def __str__(self) -> str:
        if is_standard_output(self.out):
            return ""  # it holds the page and nothing else
        return f"{self.out}: {self.n_runs} {'run' if self.n_runs == 1 else 'runs'}; open it in a browser"


def report_runs(options: ReportOptions, progress: Progress = silent) -> Reported:
    """Write the page.

    :raises PotstillError: when a folder is not a finished run's, or the page cannot be written.
    """
    require("train", "jinja2", "pyarrow")
    from potstill.reporting.page import render_page

    with progress("reading runs", len(options.runs)) as bar:
        runs = []
        for folder, name in zip(options.runs, _names(options.runs), strict=True):
            runs.append(read_run(folder, name))
            bar.update(1)
    out = options.out or options.runs[0] / REPORT
    check_apart(out, [file for folder in options.runs for file in folder.rglob("*") if file.name != REPORT])
    with text_output(out) as file:
        file.write(render_page(runs, options.price))
    return Reported(out, len(runs))


def _names(folders: Sequence[Path]) -> list[str]:
    """The runs' names: of their folders, or the whole paths where two would have the same."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]
