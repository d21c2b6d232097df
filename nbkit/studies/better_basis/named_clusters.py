"""Real neurons' clusters in the basis of an autoencoder's features, each with the features that name it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbkit.atlas.neuron import Neuron
from nbkit.errors import NbkitError
from nbkit.features.in_basis import FeatureBasis, in_basis
from nbkit.features.neuron_in_basis import NAMED_COLUMNS, NeuronInBasis, with_words
from nbkit.features.showcase import Choice, several_behaviors
from nbkit.method.checks import checked_seed
from nbkit.method.clusters import PAPER_CUT, FeatureClusters
from nbkit.sae.loading import load_sae
from nbkit.studies.shared.behaviors import excerpt, key_tokens
from nbkit.studies.shared.estimate import UNDEFINED
from nbkit.studies.shared.language_model_saes import WithLatents
from nbkit.studies.shared.table import BookTable

CLUSTERS_IN_A_TABLE, MOST_FEATURES, WORDS = 6, 2, 3
"""In a table, of one neuron."""
FEW_CLUSTERS = 3
"""Of a neuron among several."""
FEWEST_IN_TWO = (10, 5, 2)
"""Examples in each of two clusters that a neuron to be drawn has: fewer where no neuron has as many."""
OWN_EXAMPLE = "the first one's own strongest example"
PAPERS, OURS = "in the paper's space", "centered + features"


@dataclass(frozen=True, eq=False)
class LayerInBasis:
    """A layer of neurons in the basis of an autoencoder of what its MLP reads."""

    basis: FeatureBasis
    unexplained: float
    """The share of the variance that the autoencoder leaves, in percent, on text that it was not trained on here."""


@dataclass(frozen=True, eq=False)
class Clustered:
    """A neuron's examples in two spaces."""

    own: NeuronInBasis
    rule: str
    """How it was chosen, as a sentence."""
    papers: FeatureClusters
    ours: FeatureClusters

    @property
    def neuron(self) -> Neuron:
        return self.own.neuron


@dataclass(frozen=True, eq=False)
class Drawn:
    """Neurons drawn at random of those that have two clusters to name."""

    neurons: int
    eligible: int
    least: int
    """Examples in each of two clusters of an eligible one, at least."""
    table: BookTable


@dataclass(frozen=True)
class LayerNamed:
    """How far names go in a whole layer: over its clusters of at least two examples."""

    neurons: int
    without: int
    """Neurons that have no clusters."""
    clusters: int
    share: float
    """Median share that a cluster's first name carries of it, in percent."""
    elsewhere: float
    """Median share that it carries of the neuron's other examples, in percent."""


def layer_in_basis(both: WithLatents) -> LayerInBasis:
    """The first layer whose MLP's input an autoencoder reads.

    Args:
        both: neurons, and latents of what the MLP of a layer among theirs reads.

    Raises:
        NbkitError: there are no such latents.
    """
    for hook, folder in both.folders.items():
        sae = load_sae(folder)
        sae.hook = sae.hook or hook
        with suppress(NbkitError):
            left = both.quality.set_index("hook")["unexplained"][hook]
            return LayerInBasis(in_basis(both.joined, sae), 100 * float(left))
    raise NbkitError(
        "No autoencoder reads what an MLP of this atlas reads: add `blocks.N.mlp.hook_in` of a scanned layer to `hooks`"
    )


def one_neuron(layer: LayerInBasis) -> Clustered:
    """Cluster the examples of a neuron of several behaviors in the paper's space and in the basis of features.

    Raises:
        NbkitError: there is no neuron to show.
    """
    choice: Choice = several_behaviors(layer.basis.atlas, layer.basis.site.number)
    own = layer.basis.neuron(choice.neuron.index)
    return Clustered(own, choice.rule, own.neuron.clusters(PAPER_CUT), own.clusters(PAPER_CUT))


def clusters_named(found: Clustered, most: int = CLUSTERS_IN_A_TABLE) -> BookTable:
    """The largest clusters of a neuron in the paper's space and in the basis of features, each with the features that
    name it, these with their own most frequent key tokens, and the first with its own strongest example.

    Args:
        found: of `one_neuron`.
        most: clusters of a space.
    """
    spaces = {PAPERS: found.papers, OURS: found.ours}
    return _table("clusters-named", {space: (found.own, clusters) for space, clusters in spaces.items()}, most)


def drawn_neurons(layer: LayerInBasis, most: int = 4, seed: int = 0) -> Drawn:
    """Neurons of the layer with at least two clusters of several examples, drawn at random, with their named clusters.

    Args:
        most: neurons.
        seed: of the draw.

    Raises:
        NbkitError: no neuron has two clusters of two examples.
    """
    table = layer.basis.named_clusters(progress=False)
    for least in FEWEST_IN_TWO:
        counts = table[table["size"] >= least].groupby("index").size()
        if len(able := counts.index[counts >= 2].to_numpy()):
            break
    else:
        raise NbkitError(
            f"no neuron of {layer.basis.site.title} has two clusters of {FEWEST_IN_TWO[-1]} examples: scan more text"
        )
    chosen = np.sort(np.random.default_rng(checked_seed(seed)).permutation(able)[:most])
    neurons = [layer.basis.neuron(int(index)) for index in chosen]
    rows = {f"{own.neuron.title}, {len(own.neuron)} examples": (own, own.clusters(PAPER_CUT)) for own in neurons}
    return Drawn(len(neurons), len(able), least, _table("drawn-neurons-named", rows, FEW_CLUSTERS))


def layer_named(layer: LayerInBasis) -> LayerNamed:
    """How much of a cluster its first name carries, over the whole layer."""
    table = layer.basis.named_clusters(progress=False)
    several = table[(table["size"] >= 2) & (table["features"].map(len) > 0)]
    first, elsewhere = (several[column].map(lambda values: float(values[0])) for column in ("shares", "elsewhere"))
    return LayerNamed(
        table["index"].nunique(),
        int((table["size"] == 0).sum()),
        int((table["size"] >= 2).sum()),
        100 * float(first.median()),
        100 * float(elsewhere.median()),
    )


def _table(name: str, groups: dict[str, tuple[NeuronInBasis, FeatureClusters]], most: int) -> BookTable:
    cells: dict[tuple[str, str], dict[str, object]] = {}
    for title, (own, clusters) in groups.items():
        told = with_words(pd.DataFrame(own.rows(clusters), columns=list(NAMED_COLUMNS)), own.latents)
        for row in told.head(most).to_dict("records"):
            members = [own.neuron.snippets[i] for i in np.flatnonzero(clusters.labels == row["cluster"]).tolist()]
            cells[title, f"{row['cluster'] + 1}"] = {
                "examples": row["size"],
                "key tokens": key_tokens(members, WORDS),
                "features that name it": _features(row),
            }
            if own.latents is not None:
                strongest = own.latents.strongest(row["features"][0]) if row["features"] else None
                cells[title, f"{row['cluster'] + 1}"] |= {
                    OWN_EXAMPLE: None if strongest is None else excerpt(strongest)
                }
    return BookTable(name, pd.DataFrame(list(cells.values()), index=pd.MultiIndex.from_tuples(list(cells))))


def _features(row: Mapping[Any, Any]) -> str:
    """Each as `on · upon (#12): 47% / 3%`."""
    named = zip(row["words"], row["features"], row["shares"], row["elsewhere"], strict=True)
    texts = [f"{words or UNDEFINED} (#{number}): {share:.0%} / {other:.0%}" for words, number, share, other in named]
    return "; ".join(texts[:MOST_FEATURES]) or UNDEFINED
