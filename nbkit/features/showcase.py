"""Which units a page shows: chosen by a stated rule, never by hand; of neurons, those of the middle layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import Neuron
from nbkit.errors import NbkitError
from nbkit.features.neighbors import neighbor_kinds
from nbkit.method.choice import Rules, rankings
from nbkit.method.coordinates import HANGS
from nbkit.models.site import CENTERED

SPREAD_OUT = f"at most {HANGS:.0%} of the embeddings' squared length in one coordinate"


class NothingToShow(NbkitError):  # noqa: N818 - what the reader is told
    """An atlas holds no neuron that a rule takes."""


@dataclass(frozen=True)
class Choice:
    """A neuron and how it was chosen."""

    neuron: Neuron
    rule: str
    """The rule as a sentence; it ends in how many neurons were eligible."""

    def _repr_markdown_(self) -> str:
        return f"**{self.neuron.name}** ({len(self.neuron)} examples). {self.rule}"


def several_behaviors(atlas: Atlas, layer: int | None = None, neuron: int | None = None) -> Choice:
    """A neuron with several clear behaviors (Figure 2), or the one that is asked for."""
    usual = (
        "4 to 8 clusters that are more than key tokens (adjusted Rand index with them at most 0.5), at least 40 "
        f"examples, the largest cluster holding at most half of them and the second at least a fifth, {SPREAD_OUT}"
    )
    rules: Rules = {
        usual: lambda t: (
            t["n_clusters"].between(4, 8)
            & (t["n_examples"] >= 40)
            & (t["largest_share"] <= 0.5)
            & (t["second_share"] >= 0.2)
            & (t["token_agreement"] <= 0.5)
            & _spread(t)
        ),
        "3 to 12 clusters and at least 10 examples": lambda t: t["n_clusters"].between(3, 12) & (t["n_examples"] >= 10),
    }
    return _choose(atlas, (layer, neuron), rules, "the highest silhouette", lambda t: t["silhouette"])


def rare_behavior(atlas: Atlas, layer: int | None = None, neuron: int | None = None) -> Choice:
    """A neuron with a common and a rare behavior (Figure 3), or the one that is asked for."""
    rules: Rules = {
        "two clusters, at least 50 examples, the smaller cluster with at least 2 and at most 6% of them, "
        f"{SPREAD_OUT}": lambda t: (
            (t["n_clusters"] == 2)
            & (t["n_examples"] >= 50)
            & (t["largest_share"] >= 0.94)
            & (_outside_largest(t) >= 2)
            & _spread(t)
        ),
        "several clusters, at least 10 examples, the largest cluster with at least 70% of them": lambda t: (
            (t["n_clusters"] >= 2) & (t["n_examples"] >= 10) & (t["largest_share"] >= 0.7)
        ),
    }
    aim = "the largest mean distance between clusters"
    return _choose(atlas, (layer, neuron), rules, aim, lambda t: t["inter_cluster"])


def embedding_contrast(atlas: Atlas, layer: int | None = None, neuron: int | None = None) -> Choice:
    """The neuron for which the neuron embedding separates its clusters most clearly better than the pre-MLP vector; of
    an atlas of centered vectors, for which these do so better than the neuron embedding."""
    own, other = _compared(atlas, layer)
    aim = f"the largest gain in silhouette of the {own} over the {other}, both cut into as many clusters"
    return _choose(atlas, (layer, neuron), CONTRAST, aim, lambda t: _gain(atlas, t))


def typical_contrast(atlas: Atlas, layer: int | None = None, neuron: int | None = None) -> Choice:
    """The neuron whose gain, as in `embedding_contrast`, is the median: what to expect of a blind draw."""
    gain = f"gain in silhouette over the {_compared(atlas, layer)[1]}"
    aim = f"the {gain}, both cut into as many clusters, that is closest to the median"
    return _choose(atlas, (layer, neuron), CONTRAST, aim, lambda t: -(_gain(atlas, t) - _gain(atlas, t).median()).abs())


def extremes(atlas: Atlas, min_examples: int = 50, n: int = 5) -> pd.DataFrame:
    """The neurons with the most clusters and those with the smallest mean distance, if they have enough examples.

    Fewer where fewer have metrics.
    """
    table = _table(atlas, _kind(atlas))
    enough = table[table["n_examples"] >= _enough(atlas, min_examples)].dropna(subset="mean_distance")
    columns = ["layer", "index", "n_examples", "n_clusters", "largest_share", "mean_distance", "max_distance"]
    most = enough.nlargest(n, ["n_clusters", "mean_distance"]).assign(extreme="most clusters")
    tight = enough.nsmallest(n, "mean_distance").assign(extreme="smallest mean distance")
    both: pd.DataFrame = pd.concat([most, tight])[["extreme", *columns]].reset_index(drop=True)
    return both


def featured(atlas: Atlas) -> list[Choice]:
    """The neurons to begin with, each once, with the first rule that chose it; by the paper's embedding those of pages.

    A rule that finds no neuron in a small atlas is passed over.
    """
    choices = []
    for choose in (several_behaviors, rare_behavior, embedding_contrast, typical_contrast):
        with suppress(NothingToShow):
            choices.append(choose(atlas))
    table, unit = extremes(atlas), _kind(atlas)
    for extreme, layer, index in zip(table["extreme"], table["layer"], table["index"], strict=True):
        rule = f"Chosen by rule: one of the {(table['extreme'] == extreme).sum()} {unit}s with the {extreme}"
        rule += f" among those with at least {_enough(atlas, 50)} examples."
        choices.append(Choice(atlas.neuron(int(layer), int(index)), rule))
    once: dict[tuple[int, int], Choice] = {}
    for choice in choices:
        once.setdefault((choice.neuron.layer, choice.neuron.index), choice)
    return list(once.values())


def _kind(atlas: Atlas, layer: int | None = None) -> str:
    """What the units are called among which a rule chooses: of a site, or else of all, of which neurons come first."""
    kinds = {site.unit for site in atlas.manifest.sites if layer in (None, site.number)}
    if "neuron" in kinds:
        return "neuron"
    return kinds.pop() if len(kinds) == 1 else "unit"


def _table(atlas: Atlas, kind: str) -> pd.DataFrame:
    """The units of a kind."""
    others = [site.number for site in atlas.manifest.sites if kind not in (site.unit, "unit")]
    return atlas.neurons[~atlas.neurons["layer"].isin(others)]


def _read(atlas: Atlas, layer: int | None) -> str:
    """What the units' input weights receive."""
    kind = _kind(atlas, layer)
    return "pre-MLP vector" if kind == "neuron" else f"vector that a {kind} reads"


def _compared(atlas: Atlas, layer: int | None) -> tuple[str, str]:
    """What the atlas's embedding is called, and what it is held against."""
    if atlas.manifest.embedding == CENTERED:
        return "centered vector", "neuron embedding"
    return "neuron embedding", _read(atlas, layer)


def _enough(atlas: Atlas, min_examples: int) -> int:
    """Examples that a neuron of an extreme has at least; fewer in an atlas of which none has as many."""
    table = _table(atlas, _kind(atlas))
    measured = table.loc[table["mean_distance"].notna(), "n_examples"]
    return min(min_examples, int(measured.max())) if len(measured) else min_examples


def _outside_largest(table: pd.DataFrame) -> pd.Series:
    return ((1 - table["largest_share"]) * table["n_examples"]).round()


def _spread(table: pd.DataFrame) -> pd.Series:
    """Which neurons don't hang on one coordinate: their clusters are not those of what the model writes there."""
    return table["concentration"] <= HANGS


def _gain(atlas: Atlas, table: pd.DataFrame) -> pd.Series:
    other = atlas.metrics(neighbor_kinds(atlas)[1]).loc[table.index]
    return table["silhouette"] - other["silhouette_matched"]


CONTRAST: Rules = {
    f"two clusters of at least 10 examples each, {SPREAD_OUT}": lambda t: (
        (t["n_clusters"] == 2) & (_outside_largest(t) >= 10) & _spread(t)
    ),
    "at least two clusters and 10 examples": lambda t: (t["n_clusters"] >= 2) & (t["n_examples"] >= 10),
}


Reads = Callable[[Neuron], bool]
"""Whether a neuron is a good first example."""


def _begins_late(neuron: Neuron) -> bool:
    """At most a tenth of its key tokens are the first of their context, which stands there without its sentence."""
    return float((neuron.position <= 1).mean()) <= 0.1


def _answers_to_words(neuron: Neuron) -> bool:
    """It begins late, and at least half of its key tokens have a letter."""
    lettered = [any(map(str.isalpha, snippet.key_token)) for snippet in neuron.snippets]
    return _begins_late(neuron) and float(np.mean(lettered)) >= 0.5


def _readable(unit: str) -> dict[str, Reads]:
    """What a neuron is passed over for, in words; the second where all have it."""
    start = f", passing over {unit}s that answer to the start of a context"
    return {f"{start} or, mostly, to tokens without a letter": _answers_to_words, start: _begins_late}


def _middle(layers: Sequence[int]) -> Sequence[int]:
    """The middle third of the layers: the first read mostly single tokens, the last prepare the output."""
    outer = len(layers) // 3
    return layers[outer : len(layers) - outer]


def _choose(
    atlas: Atlas,
    asked: tuple[int | None, int | None],
    rules: Rules,
    aim: str,
    score: Callable[[pd.DataFrame], pd.Series],
) -> Choice:
    layer, index = asked
    if layer is None and index is not None:
        raise NbkitError(f"neuron {index} of which layer? Give `layer` as well, or neither")
    if layer is not None:
        neuron = atlas.neuron(layer, index or 0)  # refuses a layer that the atlas does not hold
        if index is not None:
            return Choice(neuron, "Chosen by the parameters `layer` and `neuron`.")
    unit = _kind(atlas, layer)
    table, of_neurons = _table(atlas, unit), unit == "neuron"
    layers: Sequence[int] = [layer] if layer is not None else sorted(table["layer"].unique())
    if of_neurons and layer is None:
        layers = _middle(layers)
    table = table[table["layer"].isin(layers)]
    first, last = (number if of_neurons else atlas.manifest.site(number).label for number in (layers[0], layers[-1]))
    place = "layer" if of_neurons else "site"
    where = f"{place} {first}" if first == last else f"{place}s {first} to {last}"
    # inputs that are shown as one thing have neither start nor letters
    passing = {"": lambda _: True} if atlas.manifest.length == 1 else _readable(unit)
    for words, reads in passing.items():
        of = f"the {len(table):,} {unit}s of {where}"
        for ranking in rankings(table, rules, score, f"{aim}{words}", of, f"no {unit}"):
            places = table.loc[ranking.units, ["layer", "index"]].itertuples(index=False, name=None)
            neurons = (atlas.neuron(int(layer), int(index)) for layer, index in places)
            if (best := next(filter(reads, neurons), None)) is not None:
                return Choice(best, ranking.sentence)
    raise NothingToShow(f"no {unit} of {atlas.path} can be shown here: scan more text, or give `layer` and `neuron`")
