"""Small teachers that are no transformer with a classification layer: stand-ins, fitted or random."""

from pathlib import Path
from typing import Any

from standins import SMALL, sentences


def fit_pipeline(model: Any = None, labels: tuple[object, object] = ("0", "1")) -> Any:
    """TF-IDF with a classifier, fitted on the grammar's sentences.

    :param labels: the classes of its ``y``.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = sentences(60, 0)
    texts, y = [text for text, _ in rows], [labels[int(label)] for _, label in rows]
    return make_pipeline(TfidfVectorizer(), LogisticRegression() if model is None else model).fit(texts, y)


def write_skops(file: Path, model: Any = None) -> Path:
    """A file of skops, of such a pipeline."""
    import skops.io

    skops.io.dump(model or fit_pipeline(), file)
    return file


def write_headed(folder: Path, encoder: Path, labels: tuple[object, object] = ("0", "1")) -> Path:
    """A Sentence Transformers folder over a small encoder, with a head beside it."""
    import skops.io
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from sklearn.linear_model import LogisticRegression

    transformer = Transformer(str(encoder))
    model = SentenceTransformer(modules=[transformer, Pooling(transformer.get_embedding_dimension())], device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    rows = sentences(60, 0)
    vectors = model.encode([text for text, _ in rows], show_progress_bar=False)
    head = LogisticRegression().fit(vectors, [labels[int(label)] for _, label in rows])
    skops.io.dump(head, folder / "model_head.skops")
    return folder


def write_nli(
    folder: Path, encoder: Path, names: tuple[str, ...] = ("contradiction", "neutral", "entailment"), **config: Any
) -> Path:
    """A random BERT classifier of pairs: a stand-in for one that is fine-tuned on inference."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(3)
    id2label = dict(enumerate(names))
    label2id = {name: index for index, name in id2label.items()}
    settings: dict[str, Any] = {"vocab_size": 400, "id2label": id2label, "label2id": label2id}
    # Larger weights than a new model's, so that texts differ.
    small = BertConfig(**(settings | SMALL | {"initializer_range": 0.2} | config))
    BertForSequenceClassification(small).save_pretrained(folder)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(folder)
    return folder
