"""Where to cut the tree of a unit's examples: at 0.5, where chance tells, or at the best silhouette.

The cut that chance tells (`chance_cut`) was chosen on layers 7 and 15 of SmolLM2, on toys of seeds 2 to 7, and on
networks of seeds 0 and 1; so toys and networks have other seeds here, and a page names other layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.method.clusters import PAPER_CUT, UNRELATED, chance_cut, feature_clusters, unrelated_rows
from nbkit.method.metrics import adjusted_rand_index
from nbkit.method.truth.benchmark import BENCHMARK_VERSION, shuffled
from nbkit.method.truth.contestants import CONTESTANTS, Embed
from nbkit.method.truth.recovery import with_directions
from nbkit.method.truth.rules import silhouette_rule
from nbkit.method.truth.standard import nulls_of
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.method.truth.unit import LabeledUnit, Unit
from nbkit.studies.ground_truth.contest_parts import Part, in_parts
from nbkit.studies.ground_truth.images import image_units
from nbkit.studies.ground_truth.text_units import text_layers
from nbkit.studies.shared.kept_tables import kept_table
from nbkit.studies.shared.planted.layers import STANDARD_TEXT_UNITS, TextUnits

CUTS_RECIPE = 1
"""Goes up when a number changes its meaning."""
CUT_SPACES: Mapping[str, Embed] = {
    name: CONTESTANTS[name] for name in ("pre-MLP", "centered", "paper's", "centered + paper's")
}
FIXED, CHANCE, SILHOUETTE = "at 0.5", "by chance", "by silhouette"
CUTS = (FIXED, CHANCE, SILHOUETTE)
FIRST_TOY, FIRST_NETWORK = 100, 2
"""Seeds."""
CUT_COLUMNS = ("task", "unit", "group", "examples", "behaviors", "space", "rule", "cut", "clusters", "ari")


def where_to_cut(
    layers: Sequence[tuple[Atlas, Sequence[int]]],
    text: TextUnits = STANDARD_TEXT_UNITS,
    toys: int = 6,
    networks: int = 4,
    most: int = 8,
    seed: int = 0,
    n_jobs: int = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Cut the trees (average linkage of cosine distances) of units whose behaviors are known in three ways.

    Args:
        layers: of language models: an atlas of each model's neurons, and the layers whose units are made.
        text: how many are made of each of them.
        toys: plain toys, each with units of one behavior alone.
        networks: seeds of the MLP and of the convolutional network on MNIST.
        most: units of a toy, and of a layer of images by task and difficulty.
        seed: of the draws.
        n_jobs: processes; -1 for one a core.
        progress: whether to show a bar.

    Returns:
        One row for each unit, space and way to cut, with the columns `CUT_COLUMNS`: `cut`, the distance, NaN by
        silhouette; `ari`, the adjusted Rand index against the behaviors, NaN where there is but one.

    Raises:
        NbkitError: there is nothing to measure, an atlas has no such layer, a model can't be opened, or the cache
            folder can't be written.
    """
    parts: list[Part] = [(_of_text, atlas.path, tuple(wanted), text, seed) for atlas, wanted in layers if wanted]
    parts += [(_of_images, number, most) for number in range(FIRST_NETWORK, FIRST_NETWORK + networks)]
    parts += [(_of_toy, Toy(seed=number), most) for number in range(FIRST_TOY, FIRST_TOY + toys)]
    return in_parts(layers, parts, "where to cut", n_jobs, progress)


def _kept(request: Mapping[str, Any], units: Callable[[], Iterable[LabeledUnit]]) -> pd.DataFrame:
    same = {"recipe": CUTS_RECIPE, "version": BENCHMARK_VERSION, "unrelated": UNRELATED}
    return kept_table("ground-truth-cuts", {**same, **request}, lambda: cuts_of(units()))


def _of_text(path: Path, layers: tuple[int, ...], text: TextUnits, seed: int) -> pd.DataFrame:
    atlas = open_atlas(path)
    request = {"atlas": asdict(atlas.manifest), "layers": layers, **asdict(text), "seed": seed}

    def make() -> Iterable[LabeledUnit]:
        return chain.from_iterable(units for _, units in text_layers(atlas, layers, text, seed, around=False))

    return _kept(request, make)


def _of_images(number: int, most: int) -> pd.DataFrame:
    return _kept({"network": number, "most": most}, lambda: image_units([number], [number], most=most))


def _of_toy(toy: Toy, most: int) -> pd.DataFrame:
    return _kept({"toy": asdict(toy), "most": most}, lambda: chain(toy_units(toy)[:most], nulls_of(toy, most)))


def cuts_of(units: Iterable[LabeledUnit]) -> pd.DataFrame:
    """The rows of some units in the columns `CUT_COLUMNS`; examples of two behaviors at once are left out."""
    rows: list[tuple[Any, ...]] = []
    for whole in units:
        labeled = shuffled(whole.take(~whole.ambiguous))
        for space, embed in CUT_SPACES.items():
            for rule, (cut, found) in _cuts(labeled.unit, embed).items():
                ari = np.nan if labeled.null else adjusted_rand_index(labeled.labels, found)
                named = (labeled.task, labeled.name, labeled.group, len(found), labeled.n_behaviors, space, rule)
                rows.append((*named, cut, len(np.unique(found)), ari))
    return pd.DataFrame(rows, columns=CUT_COLUMNS)


def _cuts(unit: Unit, embed: Embed) -> dict[str, tuple[float, Int[np.ndarray, " n"]]]:
    embeddings = with_directions(np.asarray(embed(unit)))
    tree, chance = feature_clusters(embeddings, PAPER_CUT), chance_cut_of(unit, embed)
    return {
        FIXED: (PAPER_CUT, tree.labels),
        CHANCE: (chance, tree.cut(chance).labels),
        SILHOUETTE: (np.nan, silhouette_rule(embeddings)),
    }


def chance_cut_of(unit: Unit, embed: Embed) -> float:
    """`chance_cut` of a unit in a space, by vectors of its layer."""
    vectors = unit.background.vectors
    return chance_cut(np.asarray(embed(replace(unit, read=vectors[unrelated_rows(len(vectors))]))))
