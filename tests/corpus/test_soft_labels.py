"""Which of a teacher's labels are learnt."""

import numpy as np
import pytest

from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.errors import PotstillError
from potstill.tasks import SingleLabel

# probabilities 1/2 and 1/2; 1/9 and 8/9; all but 1; the second with large logits
LOGITS = np.array([[3, 3], [0, np.log(8)], [-800, 90], [1000, 1000 + np.log(8)]], dtype=np.float32)
NINTH = -(1 / 9 * np.log2(1 / 9) + 8 / 9 * np.log2(8 / 9))


def test_entropy_is_in_bits() -> None:
    np.testing.assert_allclose(SingleLabel().entropy(LOGITS), [1, NINTH, 0, NINTH], atol=1e-4)
    assert SingleLabel().entropy(np.zeros((1, 8), dtype=np.float32)).tolist() == pytest.approx([3])


@pytest.mark.parametrize(
    ("threshold", "rows"), [(-1.0, [0, 1, 2, 3]), (0.0, [2]), (0.51, [1, 2, 3]), (0.49, [2]), (1.0, [0, 1, 2, 3])]
)
def test_texts_of_larger_entropy_are_left_out(threshold: float, rows: list[int]) -> None:
    assert SoftLabelFilter(entropy_threshold=threshold).rows(LOGITS, SingleLabel()).tolist() == rows


def test_that_none_is_left_is_an_error() -> None:
    SoftLabelFilter(entropy_threshold=0.1).check_some(1)
    with pytest.raises(PotstillError, match=r"--entropy_threshold=0\.1: the teacher is confident of no text"):
        SoftLabelFilter(entropy_threshold=0.1).check_some(0)
