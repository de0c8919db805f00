"""Nothing that Potstill reads is unpickled: a model's folder or a data file from anybody cannot run code."""

import ast
from pathlib import Path

import pytest

import potstill

_SOURCES = Path(potstill.__file__).parent
_MODULES = {"pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib"}
_CALLS = {"eval", "exec", "load_pickle"}
_WRITES_ONLY = {"evaluation/peers.py": {"joblib"}}  # to measure its size; it reads none


def modules_of(tree: ast.AST) -> set[str]:
    """The top-level names of what is imported."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def calls_of(tree: ast.AST) -> set[str]:
    """Calls by name, with their module where they have one: ``np.load``."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


@pytest.mark.parametrize("path", sorted(_SOURCES.rglob("*.py")), ids=lambda path: str(path.relative_to(_SOURCES)))
def test_nothing_is_unpickled_or_evaluated(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = path.relative_to(_SOURCES).as_posix()
    assert not modules_of(tree) & _MODULES - _WRITES_ONLY.get(name, set())
    calls = calls_of(tree)
    assert not calls & (_CALLS | {"torch.load", "np.load", "numpy.load", "joblib.load"}), "arrays: open_array"
    assert not any(
        "trust_remote_code=True" in ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)
    )
