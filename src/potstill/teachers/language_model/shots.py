"""Examples that are drawn from labelled text, to be shown in every prompt."""

import random
from collections.abc import Sequence

from potstill.corpus.streams import AnyText
from potstill.corpus.texts import joined

_LONGEST = 500  # characters: an example is paid for with every text


def draw_shots(texts: Sequence[AnyText], labels: Sequence[str], n: int, seed: int) -> list[tuple[AnyText, str]]:
    """Draw examples, as many of each label as can be, in an order without a pattern.

    :param labels: of the texts.
    :param n: how many there are to be in all; fewer where there are not so many.
    :return: texts, or pairs of texts, with their labels; long texts only where a label has no shorter ones.
    """
    generator = random.Random(seed)
    left: dict[str, list[AnyText]] = {}
    for text, label in dict(zip(texts, labels, strict=True)).items():
        left.setdefault(label, []).append(text)
    for candidates in left.values():
        generator.shuffle(candidates)
        candidates.sort(key=lambda text: len(joined(text)) <= _LONGEST)  # stable; taken from the end
    shots: list[tuple[AnyText, str]] = []
    names = sorted(left)
    generator.shuffle(names)  # where n is no multiple of the labels, no label is always the one with fewer
    while len(shots) < n and any(left.values()):
        for name in names:
            if left[name] and len(shots) < n:
                shots.append((left[name].pop(), name))
    generator.shuffle(shots)  # else the last ones, which count most, would always be in the same order of labels
    return shots
