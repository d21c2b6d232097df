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
    starts = np.flatnonzero(~spelling.goes_on[context])
    at, reach = int(np.searchsorted(starts, position, side="right")) - 1, LONGEST_RUN - 1

    def clusters(some: Int[np.ndarray, " m"]) -> list[str]:
        return _CLUSTER.findall("".join(spelling.texts[place] for place in spelling.tokens[context, some]))

    before = clusters(starts[max(0, at - reach) : at])[-reach:]
    key, after = clusters(starts[at : at + 1]), clusters(starts[at + 1 : at + 1 + reach])
    text = before + key + after
    found = []
    for n in range(1, LONGEST_RUN + 1):
        firsts = range(max(0, len(before) - n + 1), min(len(before) + len(key), len(text) - n + 1))
        found.append(["".join(text[first : first + n]) for first in firsts if _is_run(text[first : first + n])])
    return found


def _is_run(clusters: list[str]) -> bool:
    return all(map(_WORD.match, clusters)) and any(map(UNSPACED.search, clusters))
