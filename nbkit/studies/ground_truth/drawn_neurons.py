"""Clusters of real neurons, whose behaviors nobody knows: told from text, and in what zeroing the neuron changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.errors import NbkitError
from nbkit.features.showcase import featured
from nbkit.method.checks import checked_seed, checked_whole
from nbkit.method.controls import other_units
from nbkit.parallel.pool import in_processes
from nbkit.studies.ground_truth.contest_parts import check_made_for
from nbkit.studies.ground_truth.own_effects import CHANGED, OUTPUT_SUFFIXES, own_effects
from nbkit.studies.ground_truth.told_from_text import SCORES, told_from_text
from nbkit.studies.ground_truth.zeroing import Zeroing
from nbkit.studies.shared.kept_tables import kept_table
from nbkit.studies.shared.planted.token_reads import held_out
from nbkit.studies.shared.populations import has_examples
from nbkit.studies.shared.text_and_model import model_of, says_next

DRAWN_RECIPE = 2
"""Goes up when a number changes its meaning, so that a table of an older nbkit is measured again."""
DRAWN_COLUMNS = (
    *("test", "layer", "index", "shown", "drawn", "grouping", "size", "share"),
    *("held_out", "found", *SCORES, "chance"),
    *(f"{who}{what}" for who in CHANGED for what in (*OUTPUT_SUFFIXES, "_words", "_p", "_nats")),
)
EXAMPLES_ENOUGH = 40
"""Examples that a neuron has at least: about half of them are held out."""
Place = tuple[Path, str]
"""The folder of an atlas, and its embedding."""
NEURONS_A_TASK = 16
"""Neurons that a process measures in one go."""


def real_neurons(
    atlas: Atlas, n_neurons: int = 300, seed: int = 0, n_jobs: int = -1, progress: bool = True
) -> pd.DataFrame:
    """Measure the clusters of neurons drawn at random, and of those that the pages show.

    Of the neurons with `EXAMPLES_ENOUGH` examples and, at the cut of 0.5, at least two clusters: one can't be told from
    another.

    Args:
        atlas: of the neurons of a language model.
        n_neurons: how many are drawn.
        seed: of all draws.
        n_jobs: processes; -1 for one a core.
        progress: whether to show a bar.

    Returns:
        The columns `DRAWN_COLUMNS`: the rows of `told_from_text` (`test` is `text`) and of `own_effects` (`output`;
        none of a model that says no next token), each with the neuron's `layer` and `index`, and whether it is `shown`
        on a page and was `drawn`.

    Raises:
        NbkitError: the atlas is of other units, none of its neurons has as many examples and clusters, the model can't
            be opened, or the cache folder can't be written.
    """
    check_made_for(atlas)
    n_neurons, seed = checked_whole("n_neurons", n_neurons, 1), checked_seed(seed)
    request = {"recipe": DRAWN_RECIPE, "atlas": asdict(atlas.manifest), "n_neurons": n_neurons, "seed": seed}

    def make() -> pd.DataFrame:
        chosen = chosen_neurons(atlas, n_neurons, seed)
        places = list(zip(chosen["layer"].tolist(), chosen["index"].tolist(), strict=True))
        own = atlas.path, atlas.manifest.embedding
        tasks = [(own, places[first : first + NEURONS_A_TASK], seed) for first in range(0, len(places), NEURONS_A_TASK)]
        tables = in_processes(_of_some, tasks, n_jobs, "real neurons", "part", progress)
        found: pd.DataFrame = pd.concat(tables, ignore_index=True).merge(chosen, on=["layer", "index"])
        return found.reindex(columns=DRAWN_COLUMNS)

    return kept_table("ground-truth-real-neurons", request, make)


def chosen_neurons(atlas: Atlas, n_neurons: int, seed: int) -> pd.DataFrame:
    """`layer`, `index`, `shown` and `drawn` of the neurons that are measured, in the atlas's order.

    Raises:
        NbkitError: there is none.
    """
    able = atlas.neurons[has_examples(atlas, EXAMPLES_ENOUGH) & (atlas.neurons["n_clusters"] >= 2)]
    if able.empty:
        raise NbkitError(f"no neuron of {atlas.path} with {EXAMPLES_ENOUGH} examples has two clusters: scan more text")
    drawn = able.sample(min(n_neurons, len(able)), random_state=seed).index
    shown = {(choice.neuron.layer, choice.neuron.index) for choice in featured(atlas)}
    is_shown = [place in shown for place in zip(able["layer"], able["index"], strict=True)]
    chosen = able[["layer", "index"]].assign(shown=is_shown, drawn=able.index.isin(drawn))
    return chosen[chosen["shown"] | chosen["drawn"]]


def _of_some(own: Place, neurons: Sequence[tuple[int, int]], seed: int) -> pd.DataFrame:
    return pd.DataFrame([row for layer, index in neurons for row in _of_neuron(own, layer, index, seed)])


def _of_neuron(own: Place, layer: int, index: int, seed: int) -> Iterator[dict[str, Any]]:
    atlas, zeroing, held = _opened(own, seed)
    neuron, rng = atlas.neuron(layer, index), np.random.default_rng([seed, layer, index])
    for row in told_from_text(neuron, held[neuron.context], rng):
        yield {"test": "text", "layer": layer, "index": index} | row
    if zeroing is not None:
        other = int(other_units(neuron.site.n_units, seed)[index])
        for row in own_effects(neuron, atlas.tokens, zeroing, other, rng):
            yield {"test": "output", "layer": layer, "index": index} | row


@lru_cache(maxsize=1)
def _opened(own: Place, seed: int) -> tuple[Atlas, Zeroing | None, Bool[np.ndarray, " contexts"]]:
    """An atlas, its model if that says what comes next, and which contexts are held out."""
    path, embedding = own
    atlas = open_atlas(path).with_embedding(embedding)
    model = model_of(atlas, progress=False)
    return atlas, Zeroing(model) if says_next(model) else None, held_out(atlas.contexts.documents, seed)
