"""Does a space go by form or by meaning? One word in two senses against two words in one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from nbkit.method.clusters import cosine_distances
from nbkit.method.intervals import grouped_mean
from nbkit.method.truth.benchmark import WHOSE_WEIGHTS, shuffled
from nbkit.method.truth.contestants import Embed
from nbkit.method.truth.recovery import with_directions
from nbkit.method.truth.unit import LabeledUnit, Unit
from nbkit.studies.shared.auc import auc_of


def form_or_meaning(contestants: Mapping[str, Embed], units: Iterable[LabeledUnit]) -> pd.DataFrame:
    """Whether pairs of one sense and two forms are nearer than pairs of one form and two senses.

    Args:
        contestants: spaces by name, such as those of `nbkit.method.truth.contestants`.
        units: of `sense_units`; those of two words are looked at.

    Returns:
        One row a contestant, reader and condition (`own` weights or `shuffled`): `meaning`, the probability that a pair
        of one sense is nearer, 1 for a space that goes by meaning, 0 for one that goes by form, with `low` and `high`
        (see `grouped_mean`), and `units`.
    """
    found = []
    for labeled in units:
        if labeled.difficulty["words"] != 2 or labeled.unit.text is None:
            continue
        labeled = shuffled(labeled)
        assert labeled.unit.text is not None
        form, sense = labeled.unit.text.keys, labeled.labels
        above = np.triu_indices(len(sense), 1)
        same_form = (form[:, None] == form)[above]
        same_sense = (sense[:, None] == sense)[above]
        one_of_both = same_form != same_sense
        for name, embed in contestants.items():
            for condition, weights in zip(WHOSE_WEIGHTS, (labeled.unit.weights, labeled.other_weights), strict=True):
                embeddings = embed(Unit(labeled.unit.read, weights, labeled.unit.background, text=labeled.unit.text))
                if embeddings is None:
                    continue
                distances = cosine_distances(with_directions(embeddings))[above]
                meaning = float(auc_of(distances[one_of_both, None], same_form[one_of_both])[0])
                found.append((name, str(labeled.difficulty["reader"]), condition, labeled.group, meaning))
    columns = ["contestant", "reader", "condition", "group", "meaning"]
    rows = []
    for at, part in pd.DataFrame(found, columns=columns).groupby(columns[:3], sort=False):
        mean, low, high = grouped_mean(part["meaning"].to_numpy(), part["group"].to_numpy())
        rows.append(
            dict(zip(columns, at, strict=False)) | {"meaning": mean, "low": low, "high": high, "units": len(part)}
        )
    return pd.DataFrame(rows)
