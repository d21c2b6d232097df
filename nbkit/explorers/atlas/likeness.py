"""What the explorer says of similar features as a whole: how far they agree, and how similar random pairs are."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbkit.atlas.atlas import Atlas
from nbkit.features.agreement import agreement_of, most_agreeing_kind
from nbkit.features.neighbors import neighbor_kinds, neighbors_of
from nbkit.features.random_pairs import PAIR_SHARES


def likeness_of(atlas: Atlas) -> dict[str, Any]:
    """A part of the overview: the `kinds` of likeness, which of them is `usual`, the rows of `agreement` that are known
    (see `agreement_of`), and of `random` pairs the `shares` and, by kind, layer and scope, the `cosines`."""
    kinds = neighbor_kinds(atlas)
    table = agreement_of(atlas, progress=False)
    known = table[table["neighbors"].notna()].round(4)
    cosines = [np.round(neighbors_of(atlas, kind, progress=False).random, 4) for kind in kinds]
    return {
        "kinds": list(kinds),
        "usual": kinds.index(most_agreeing_kind(table, kinds)),
        "agreement": known.to_dict("records"),
        "random": {
            "shares": list(PAIR_SHARES),
            "cosines": [_known(each) for each in cosines],
        },
    }


def _known(cosines: np.ndarray) -> Any:
    """Numbers as lists, with None for what is NaN."""
    values = cosines.astype(object)
    values[np.isnan(cosines)] = None
    return values.tolist()
