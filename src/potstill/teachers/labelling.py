"""A transformer's logits for many texts, fast: batches of like length by token budget, no padding to speak of."""

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from potstill.corpus.encoded import Encoded, token_batches
from potstill.progress import Progress, silent

TOKEN_BUDGET = 2048  # a batch's tokens; measured on 2 cores: more gains nothing


def predict_logits(
    model: PreTrainedModel,
    encoded: Encoded,
    *,
    pad_id: int,
    budget: int = TOKEN_BUDGET,
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """The logits of encoded texts, float32 ``[len(encoded), n_labels]``.

    :param pad_id: the padding's token id.
    :param budget: tokens a batch, padding included.
    """
    model.eval()
    result = np.zeros((len(encoded), int(model.config.num_labels or 0)), dtype=np.float32)
    with torch.inference_mode(), progress("labelling", len(encoded)) as bar:
        for rows in token_batches(encoded.lengths, budget):
            batch = encoded.pad(rows, pad_id)
            batch.pop("labels", None)
            inputs = {name: torch.from_numpy(array).to(model.device) for name, array in batch.items()}
            result[rows] = model(**inputs).logits.float().cpu().numpy()
            bar.update(len(rows))
    return result
