"""Scripts that put no spaces between words, as Chinese or Thai: what can be searched in them.

Where words end is not written. So every run of up to four characters stands for a word that it may be.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import regex
from jaxtyping import Int

from nbkit.features.spelling import Spelling

LONGEST_RUN = 4
"""Characters, in the reader's sense; as in phrase-search.js."""
AROUND = 16
"""Tokens on each side of a key token that are looked at: of three bytes each, or of one for a mark."""
UNSPACED = regex.compile(
    r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Thai}\p{Script=Lao}"
    r"\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Javanese}\p{Script=Balinese}\p{Script=Tai_Tham}ー々〆]"
)
"""A character of such a script; as in phrase-search.js."""
_CLUSTER, _WORD = regex.compile(r"\X"), regex.compile(r"[\p{L}\p{M}\p{N}]")


def runs_around(spelling: Spelling, examples: pd.DataFrame) -> list[tuple[Int[np.ndarray, " m"], list[str]]]:
    """The runs of characters that a key token has a part in, if it belongs to such a script.

    Args:
        examples: `context` and `position` of key tokens.

    Returns:
        For runs of each length, 1 to 4 characters: numbers of examples and the texts of their runs.
    """
    unspaced = np.array([UNSPACED.search(text) is not None for text in spelling.texts])
    of_key = spelling.tokens[examples["context"], examples["position"]]
    rows = np.flatnonzero(unspaced[of_key])
    keys = list(zip(examples["context"].to_numpy()[rows], examples["position"].to_numpy()[rows], strict=True))
    runs = {key: _runs(spelling, *key) for key in set(keys)}
    found = []
    for n in range(LONGEST_RUN):
        texts = [runs[key][n] for key in keys]
        found.append((np.repeat(rows, [len(some) for some in texts]), [text for some in texts for text in some]))
    return found


def _runs(spelling: Spelling, context: int, position: int) -> list[list[str]]:
    """For each length the runs of word characters around one key token."""
    goes_on, tokens = spelling.goes_on[context], spelling.tokens[context]
    first = position
    while goes_on[first]:
        first -= 1
    stop = position + 1
    while stop < len(tokens) and goes_on[stop]:
        stop += 1

    def clusters(start: int, end: int) -> list[str]:
        text = "".join(spelling.texts[tokens[i]] for i in range(start, end) if not goes_on[i])
        return [cluster[0] for cluster in _CLUSTER.finditer(text)]

    before = clusters(max(0, first - AROUND), first)[-(LONGEST_RUN - 1) :]
    key, after = clusters(first, first + 1), clusters(stop, min(len(tokens), stop + AROUND))
    text = before + key + after
    found = []
    for n in range(1, LONGEST_RUN + 1):
        starts = range(max(0, len(before) - n + 1), min(len(before) + len(key), len(text) - n + 1))
        found.append(["".join(text[start : start + n]) for start in starts if _is_run(text[start : start + n])])
    return found


def _is_run(clusters: list[str]) -> bool:
    return all(map(_WORD.match, clusters)) and any(map(UNSPACED.search, clusters))
