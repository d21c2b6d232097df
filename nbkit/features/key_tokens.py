"""What each unit of a site answers to in few words: its most frequent key tokens, as one table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import Neuron
from nbkit.atlas.pieces import pieces
from nbkit.atlas.snippets import Snippet
from nbkit.features.words import SPACE_SIGN
from nbkit.models.site import Site
from nbkit.parallel.pool import gather

KEY_TOKENS = "key-tokens-{site}.parquet"
MOST_KEY_TOKENS = 3
"""Key tokens of a unit."""


@dataclass(frozen=True, eq=False)
class InWords:
    """The units of a site, each in a few words."""

    atlas: Atlas
    site: Site

    def of(self, units: Iterable[int]) -> list[str]:
        """The most frequent key tokens of some units, `on · upon · onto`; empty of one without examples.

        Raises:
            NbkitError: the table can't be written.
        """
        return [self._tokens[unit] for unit in units]

    def strongest(self, unit: int) -> Snippet | None:
        """The example in which a unit is most active; None of one without examples."""
        found = self.atlas.neuron(self.site.number, unit)
        return found.snippets[int(np.abs(found.peak).argmax())] if len(found) else None

    @cached_property
    def _tokens(self) -> list[str]:
        tokens: list[str] = key_tokens_of(self.atlas, self.site.number, progress=False)["tokens"].to_list()
        return tokens


def key_tokens_of(atlas: Atlas, layer: int, progress: bool = True) -> pd.DataFrame:
    """The most frequent key tokens of every unit of a site. Made on first demand and kept in the atlas's folder.

    Those that differ in space and case alone are one.

    Returns:
        One row per unit, in order: `index`, and `tokens`, up to `MOST_KEY_TOKENS` as they are shown, the most frequent
        first and of equals the one that comes first, with dots between; empty of a unit without examples.

    Raises:
        NbkitError: the table can't be written.
    """
    name, n = KEY_TOKENS.format(site=layer), atlas.manifest.site(layer).n_units
    return atlas.kept.table(name, lambda: gather(_of_site, [(atlas, layer)], n, "key tokens", "site", progress)[0])


def _of_site(atlas: Atlas, layer: int) -> pd.DataFrame:
    rows = [(unit.index, " · ".join(frequent_key_tokens(unit))) for unit in atlas.iterate(layer)]
    return pd.DataFrame(rows, columns=["index", "tokens"])


def frequent_key_tokens(unit: Neuron) -> list[str]:
    """See `key_tokens_of`, of one unit."""
    assert unit.key_words is not None
    _, first, counts = np.unique(unit.key_words, return_index=True, return_counts=True)
    return [_shown(unit, int(first[word])) for word in np.lexsort((first, -counts))[:MOST_KEY_TOKENS]]


def _shown(unit: Neuron, example: int) -> str:
    texts, key = unit.snippet_tokens[example]
    [shown] = [piece.text for piece in pieces(texts, key) if piece.first <= key <= piece.last]
    return shown.strip() or SPACE_SIGN
