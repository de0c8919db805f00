"""``potstill.distill``: texts and a teacher as Python objects in, a measured student out."""

import difflib
import shutil
import weakref
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from tempfile import mkdtemp
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from potstill.artifacts import hash_json
from potstill.corpus.examples import Example, check_row
from potstill.corpus.label_file import find_labels
from potstill.corpus.labels import collect_labels
from potstill.corpus.readers import Row
from potstill.corpus.splits import Corpus, known_labels, split_examples
from potstill.corpus.texts import Text
from potstill.distillation.distill import Distilled
from potstill.distillation.distill import distill as run_distillation
from potstill.distillation.opening import Given, OpenTeacher
from potstill.errors import PotstillError, unknown_name
from potstill.progress import bars, silent
from potstill.runs.options import DistillOptions
from potstill.runtime.classifier import Classifier, load
from potstill.runtime.texts import as_list, check_texts
from potstill.teachers.black_boxes import PYTHON

Labelled = tuple[Iterable[Text], Iterable[Any]]
"""Texts and their labels."""


class Distillation:
    """A finished distillation: its figures, and the student.

    :param finished: the run.
    :param scratch: the temporary folder that the run is in, if it is: it goes with this object.
    """

    def __init__(self, finished: Distilled, scratch: Path | None = None) -> None:
        self._finished = finished
        if scratch:
            weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self._finished.folder

    @cached_property
    def student(self) -> Classifier:
        """The student that is best on valid, ready to predict."""
        return load(self._finished.student)

    @property
    def table(self) -> dict[str, list[Any]]:
        """The figures of teacher, students and baselines, a list a column: ``pandas.DataFrame(result.table)``.

        Accuracies are shares of test; where nobody but the teacher labelled it, of texts with the teacher's label.
        """
        scores, reference = self._finished.scores, self._finished.evaluation.reference
        rows: list[Any] = [*scores, *([reference] if reference else [])]
        columns = {"model": "name", "ms": "p50_ms", "megabytes": "megabytes"}
        return {
            "model": [row.name for row in rows],
            "role": [getattr(row, "role", "reference") for row in rows],
            "accuracy": [row.accuracy for row in rows],
            "macro_f1": [row.macro_f1 for row in rows],
            "micro_f1": [row.micro_f1 for row in rows],
            **{name: [getattr(row, field) for row in rows] for name, field in columns.items() if name != "model"},
            "valid_accuracy": [row.valid["accuracy"] for row in rows],
            "agreement": [getattr(row, "agreement", None) for row in rows],
        }

    @property
    def is_gold(self) -> bool:
        """Whether people labelled test; else accuracy is agreement with the teacher."""
        return self._finished.evaluation.is_gold

    def report(self) -> Path:
        """The page with figures, plots and samples, to open in a browser."""
        return self._finished.report

    def save(self, folder: str | Path) -> Path:
        """Copy the whole run; ``folder/student`` is what :func:`potstill.load` takes.

        :raises PotstillError: when there is something already.
        """
        target = Path(folder)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise PotstillError(f"{target}: exists: choose another name, or remove it")
        shutil.copytree(self.folder, target, dirs_exist_ok=True)
        return target

    def __repr__(self) -> str:
        return str(self._finished)

    def _repr_html_(self) -> str:
        """The table, as a notebook shows it."""
        heads = {"model": "model", "accuracy": self._finished.evaluation.accuracy_name, "macro_f1": "macro F1"}
        heads |= {"ms": "ms a text", "megabytes": "MB"}
        table = self.table
        rows = zip(*(table[name] for name in heads), strict=True)
        lines = [
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            + "".join(
                f"<td>{'' if value is None else f'{scale * value:.{digits}f}'}</td>"
                for value, scale, digits in zip(values, (100, 100, 1, 1), (2, 2, 3, 2), strict=True)
            )
            + "</tr>"
            for name, *values in rows
        ]
        head = "".join(f"<th>{escape(title)}</th>" for title in heads.values())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def distill(
    texts: Any = None,
    labels: Any = None,
    *,
    teacher: Any,
    out: str | Path | None = None,
    valid: Labelled | None = None,
    test: Labelled | None = None,
    label_names: Iterable[str] | str | Path | None = None,
    progress: bool = True,
    **options: Any,
) -> Distillation:
    """Distill a teacher into a small student, and measure both.

    :param texts: what holds texts, or pairs of texts as tuples (a list, an array, a series); or the path or the hub's
        name of labelled data, as ``potstill distill --data`` takes it.
    :param labels: a label a text; or where a text may have several a list of them, or a matrix of 1 and 0 with a row a
        text and a column a label. None: the teacher labels the texts, and "accuracy" is agreement with it.
    :param teacher: a name or folder, as ``--teacher`` takes it; a function from a list of texts, or pairs, to scores or
        labels; or a scikit-learn estimator that is fitted on texts.
    :param out: the run folder; called again with it, finished stages are kept. Default: a temporary one, see
        :meth:`Distillation.save`.
    :param valid: texts and labels that pick checkpoints; default: a tenth of ``texts``.
    :param test: texts and labels that figures are measured on; default: a tenth of ``texts``.
    :param label_names: the labels, where ``labels`` is None: of a function in the order of its scores; or the path of a
        file that describes them, as ``--labels`` takes it.
    :param progress: show bars.
    :param options: any option of ``potstill distill`` by its name, such as ``student=["cnn"]`` or ``n_iter=5``.
    :raises PotstillError: for bad texts, labels or options.
    """
    described = _join(label_names)
    source, opener = _open_teacher(teacher, described)
    named = isinstance(texts, str | Path)
    sources = {"out": Path("run"), "teacher": source, "data": str(texts) if named else "", "labels": described}
    made = make_options(options | sources)
    corpus: Corpus | None = None
    unlabelled: tuple[Text, ...] = ()
    if texts is not None and labels is not None and not named:
        corpus = _corpus((texts, labels), valid, test, made.seed)
    elif texts is not None and not named:
        unlabelled = tuple(check_texts(texts, pairs=None))
    if named and labels is not None:
        raise PotstillError(f"labels: {texts} is labelled data, read from there; leave them out")
    if unlabelled and made.unlabelled:
        raise PotstillError("unlabelled: texts without labels are given already; leave one of the two out")
    if corpus is None and (valid or test):
        raise PotstillError("valid and test go with texts and labels: give labels too, or a data folder with all three")
    scratch = None if out else Path(mkdtemp(prefix="potstill-"))
    made = replace(made, out=scratch / "run" if scratch else Path(str(out)))
    try:
        finished = run_distillation(made, bars if progress else silent, Given(corpus, unlabelled, opener))
    except BaseException:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    return Distillation(finished, scratch)


def _join(label_names: Iterable[str] | str | Path | None) -> str:
    """Labels as ``--labels`` has them.

    :raises PotstillError: when a name has a comma in it.
    """
    if label_names is None or isinstance(label_names, str | Path):
        return str(label_names or "")
    names = list(label_names)
    if bad := [name for name in names if "," in name]:
        raise PotstillError(f"label_names: '{bad[0]}' has a comma in it: give the path of a TOML file with the names")
    return ",".join(names)


def _open_teacher(teacher: Any, described: str) -> tuple[str, OpenTeacher | None]:
    """The teacher's name, and what opens it where it is an object.

    :param described: the labels as ``--labels`` has them.
    """
    if isinstance(teacher, str | Path):
        return str(teacher), None
    from potstill.teachers.function import FunctionTeacher, name_of

    def opener(labels: list[str] | None) -> Any:
        return FunctionTeacher(teacher, labels or (find_labels(described).names if described else None))

    return f"{PYTHON}:{name_of(teacher)}", opener


def make_options(given: dict[str, Any]) -> DistillOptions:
    """Options by name, those of parts (``n_iter``, ``price_in``) among them.

    :raises PotstillError: when there is no such option, or a value is bad.
    """
    types = get_type_hints(DistillOptions)
    parts = {field.name: types[field.name] for field in fields(DistillOptions) if is_dataclass(types[field.name])}
    own = {field.name for field in fields(DistillOptions)} - parts.keys()
    values, left = {name: given[name] for name in own & given.keys()}, dict(given)
    for name in values:
        left.pop(name)
    for part, kind in parts.items():
        names = {field.name for field in fields(kind)} & left.keys()
        if names:
            kinds = get_type_hints(kind)
            values[part] = kind(**{name: _as_field(name, left.pop(name), kinds[name]) for name in names})
    if left:
        known = [*own, *(field.name for kind in parts.values() for field in fields(kind))]
        name = next(iter(left))
        near = difflib.get_close_matches(name, known, n=1)
        raise PotstillError(f"there is no option '{name}'" + (f": did you mean '{near[0]}'?" if near else ""))
    return DistillOptions(**{name: _as_field(name, value, types[name]) for name, value in values.items()})


def _as_field(name: str, value: Any, kind: Any) -> Any:
    """A value as its field has it: lists as tuples, names of files as paths.

    :param kind: the field's type.
    :raises PotstillError: when the value is none of the choices, or of another type.
    """
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    choices = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if value is None and NoneType in choices:
        return None
    for choice in choices:
        if get_origin(choice) is tuple:
            items = [value] if isinstance(value, str | Path) else list(value)
            return tuple(_as_field(name, item, get_args(choice)[0]) for item in items)
        if get_origin(choice) is Literal and value in get_args(choice):
            return value
        if choice is Path and isinstance(value, str | Path):
            return Path(value)
        is_plain = isinstance(choice, type) and isinstance(value, (int, float) if choice is float else choice)
        if is_plain and (choice is bool or not isinstance(value, bool)):
            return value
    if literal := [each for choice in choices if get_origin(choice) is Literal for each in get_args(choice)]:
        raise unknown_name(f"value of {name}", str(value), [str(each) for each in literal])
    raise PotstillError(f"{name}={value!r}: a value of another type than the option's; see potstill distill --help")


def _corpus(train: Labelled, valid: Labelled | None, test: Labelled | None, seed: int) -> Corpus:
    """Texts in memory as a data set; what is not given is split off train."""
    examples = _examples(train, "texts")
    given = {name: _examples(part, name) for name, part in (("valid", valid), ("test", test)) if part is not None}
    if len(given) < 2:
        split = split_examples(examples, seed)
        splits = {name: given.get(name, split[name]) for name in ("valid", "test")}
        left = [example for name in given for example in split[name]]  # a given part needs none of train's
        splits["train"] = split["train"] + left
    else:
        splits = {"train": examples, **given}
    labels = collect_labels(splits["train"], "labels")
    for name, part in given.items():
        splits[name] = known_labels(part, labels, name, "error")
    parts = {name: [[row.content, row.label] for row in splits[name]] for name in ("train", "valid", "test")}
    hashes = {"texts": hash_json(parts)}
    return Corpus({name: splits[name] for name in parts}, labels, hashes, seed=None if len(given) == 2 else seed)


def _examples(part: Labelled, name: str) -> list[Example]:
    texts, labels = check_texts(part[0], pairs=None), _labels(part[1])
    if len(texts) != len(labels):
        raise PotstillError(f"{name}: {len(texts)} texts and {len(labels)} labels: give a label a text")
    examples = []
    for number, (text, label) in enumerate(zip(texts, labels, strict=True), start=1):
        first, pair = (text, None) if isinstance(text, str) else text
        examples.append(check_row(Row(name, number, first, label, pair)))
    if len(kinds := {type(example.label) for example in examples}) > 1:
        raise PotstillError(f"{name}: some texts have a list of labels and some one label: give all lists")
    if kinds == {tuple} and not any(example.label for example in examples):
        raise PotstillError(f"{name}: no text has a label")
    return examples


def _labels(given: Any) -> list[Any]:
    """The label of each text, or all that it has; of a matrix with a row a text those of its columns that are 1."""
    matrix = given.toarray() if hasattr(given, "toarray") else given  # scipy's sparse ones
    if len(getattr(matrix, "shape", ())) != 2:
        return [_plain(label) for label in as_list(given)]
    columns = [str(name) for name in getattr(given, "columns", range(matrix.shape[1]))]
    flags = np.asarray(matrix)
    if not np.isin(flags, (0, 1)).all():
        raise PotstillError("labels: a matrix of labels has a column a label, with 1 or 0")
    return [[columns[index] for index in np.flatnonzero(row)] for row in flags]


def _plain(label: Any) -> Any:
    """A label as files have it: numpy's numbers as Python's; several of a text as a list."""
    if isinstance(label, list | tuple | set | frozenset | np.ndarray):
        return [_plain(each) for each in label]
    item: Callable[[], Any] | None = getattr(label, "item", None)
    label = item() if item else label
    return str(label) if isinstance(label, bool) else label
