"""A student that is fitted in milliseconds, word weights of a logistic regression in a student's folder: a stand-in."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.artifacts import CONFIG, ONNX_MODEL, TOKENIZER, write_json
from potstill.corpus.words import build_tokenizer
from potstill.tasks import task_of


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Lets ``DistilledClassifier`` fit in milliseconds; gives what each fit gave to :func:`potstill.distill`."""
    from potstill.api import make_options

    seen: list[dict[str, Any]] = []

    def distill(
        texts: list[str],
        labels: list[Any],
        *,
        teacher: Any,
        valid: Any,
        test: Any,
        out: Any,
        progress: bool,
        **options: Any,
    ) -> SimpleNamespace:
        """Learns the gold labels, whatever the teacher says."""
        run = Path(out or tmp_path_factory.mktemp("run"))
        make_options({"data": "data", "out": run, "teacher": "encoder"} | options)
        parts = {"texts": texts, "labels": labels, "teacher": teacher, "valid": valid, "test": test, "out": out}
        seen.append(parts | options)
        takes_several = not isinstance(labels[0], str)
        names = sorted({name for label in labels for name in label} if takes_several else set(labels))
        task = task_of(tuple(labels[0]) if takes_several else labels[0])
        gold = task.encode(labels, names)
        (run / "student").mkdir(parents=True, exist_ok=True)
        write_linear_student(run / "student", texts, gold)
        id2label = {str(index): name for index, name in enumerate(names)}
        config: dict[str, Any] = {
            "model_type": "potstill-linear",
            "id2label": id2label,
            "problem_type": task.problem_type,
        }
        if takes_several:
            config |= {"label_thresholds": [0.4] * len(names)}
        write_json(run / "student" / CONFIG, config)
        return SimpleNamespace(folder=run)

    monkeypatch.setattr("potstill.estimator.distill", distill)
    return seen


def write_linear_student(folder: Path, texts: list[str], gold: NDArray[Any]) -> None:
    """The tokenizer and the graph of a student whose logits are sums of its words' weights."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    words = CountVectorizer(token_pattern=r"\w+", lowercase=True)
    counts = words.fit_transform(texts)
    # Of several labels a text, a model each.
    targets = gold.T if gold.ndim == 2 else [gold]
    fitted = [LogisticRegression(C=10, max_iter=200).fit(counts, each) for each in targets]
    weights = np.concatenate([each.coef_ for each in fitted])  # [n_labels, n_words]; of two those of the second
    bias = np.concatenate([each.intercept_ for each in fitted])
    if len(weights) == 1:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    tokenizer = build_tokenizer(words.get_feature_names_out(), lower=True)
    ids = np.array([tokenizer.token_to_id(word) for word in words.get_feature_names_out()], dtype=np.int64)
    table = np.zeros((tokenizer.get_vocab_size(), len(bias)), dtype=np.float32)
    table[ids] = weights.T
    tokenizer.save(str(folder / TOKENIZER))
    _write_graph(folder / ONNX_MODEL, table, bias.astype(np.float32))


def _write_graph(file: Path, table: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    """``input_ids`` to the sum of their rows of the table, and the bias."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    constants: dict[str, NDArray[Any]] = {"table": table, "bias": bias, "axes": np.array([1], dtype=np.int64)}
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("ReduceSum", ["rows", "axes"], ["sums"], keepdims=0),
        helper.make_node("Add", ["sums", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["rows", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", len(bias)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), file)
