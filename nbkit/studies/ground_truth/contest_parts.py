"""The contest: all contestants on all tasks, in parts, each kept once it is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.cached import atlas_for
from nbkit.errors import NbkitError
from nbkit.method.truth.benchmark import BENCHMARK_VERSION, benchmark
from nbkit.method.truth.contestants import CONTESTANTS, Embed
from nbkit.method.truth.standard import HARDER_AND_EASIER, PLAIN, nulls_of
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.method.truth.unit import Background, LabeledUnit
from nbkit.parallel.pool import in_processes
from nbkit.studies.ground_truth.form_or_meaning import form_or_meaning
from nbkit.studies.ground_truth.images import image_units
from nbkit.studies.ground_truth.sentences import SentenceEncoder
from nbkit.studies.ground_truth.text_units import text_layers
from nbkit.studies.shared.kept_tables import kept_table
from nbkit.studies.shared.learned import LEARNED, ON_TOYS, in_layer
from nbkit.studies.shared.planted.layers import STANDARD_TEXT_UNITS, TextUnits

FORM_OR_MEANING = "form or meaning"
"""Task: whether one sense of two words is nearer than two senses of one."""
SENTENCE = "sentence encoder"
"""Contestant: the embedding of the text around the key token."""
Part = tuple[Any, ...]
"""A function that gives a table, and its arguments."""
CONTEST_RECIPE = 1
"""Goes up when a number changes its meaning, so that tables of an older nbkit are measured again."""


@dataclass(frozen=True)
class ContestSize:
    """How many units of each kind are measured; as it stands here, those of the published leaderboard."""

    text: TextUnits = STANDARD_TEXT_UNITS
    """Of each layer of a language model."""
    toys: int = 6
    """Plain toys, each with its null units."""
    variants: int | None = None
    """Toys that are harder or easier in one thing, the first of `HARDER_AND_EASIER`; None for all."""
    networks: int = 4
    """Seeds of the MNIST MLP; the first half of them also of the convolutional network."""
    most: int = 8
    """Units of a toy, and of a layer of images by task and difficulty."""


PUBLISHED = ContestSize()


def two_models(
    atlas: Atlas,
    layers: Sequence[int] | None,
    second: str,
    second_layers: Sequence[int],
    second_limit: int,
    seed: int = 0,
    at: Sequence[float] = (1 / 4, 1 / 2),
) -> list[tuple[Atlas, Sequence[int]]]:
    """The layers of an atlas's model, and those of another model, whose atlas on Brown is built for them.

    Args:
        atlas: of the first model's neurons.
        layers: of it; None for those at some shares of the atlas's layers.
        second: the other model, see `load_model`.
        second_layers: of it; none leaves it out.
        second_limit: contexts of its atlas.
        seed: of the shuffled-weights control.
        at: the shares, each from 0 to below 1.
    """
    own = sorted({atlas.layers[int(share * len(atlas.layers))] for share in at}) if layers is None else layers
    places: list[tuple[Atlas, Sequence[int]]] = [(atlas, own)]
    if second_layers:
        places.append((atlas_for(second, "brown", limit=second_limit, layers=second_layers, seed=seed), second_layers))
    return places


def contest(
    layers: Sequence[tuple[Atlas, Sequence[int]]],
    size: ContestSize = PUBLISHED,
    seed: int = 0,
    n_jobs: int = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure all contestants on units whose behaviors are known, each beside its control.

    Args:
        layers: of language models: an atlas of each model's neurons, and the layers whose units are made.
        size: how many units are made.
        seed: of the draws.
        n_jobs: processes; -1 for one a core.
        progress: whether to show a bar.

    Returns:
        See `benchmark`.

    Raises:
        NbkitError: an atlas has no such layer, a model can't be opened, or the cache folder can't be written.
    """
    parts: list[Part] = [(_of_text, atlas.path, tuple(wanted), size.text, seed) for atlas, wanted in layers if wanted]
    parts += [(_of_images, number, with_cnn, size.most) for number, with_cnn in _networks(size)]
    networks: dict[Toy, list[tuple[Toy, bool]]] = {}
    for toy, with_nulls in _toys(size):
        networks.setdefault(toy.network, []).append((toy, with_nulls))
    parts += [(_of_network, toys, size.most) for toys in networks.values()]  # whose vectors have one autoencoder
    return in_parts(layers, parts, "ground truth", n_jobs, progress)


def in_parts(
    layers: Sequence[tuple[Atlas, Sequence[int]]], parts: Sequence[Part], what: str, n_jobs: int, progress: bool
) -> pd.DataFrame:
    """The tables of all parts, one below the other.

    Args:
        layers: an atlas of each language model's neurons, and the layers that the parts measure.
        parts: a function and its arguments for each, the longest first: a core that is done would wait for them.
        what: title of the bar.
        n_jobs: processes; -1 for one a core.
        progress: whether to show a bar.

    Raises:
        NbkitError: an atlas is of something else or has no such layer, there are no parts, or one failed.
    """
    for atlas, wanted in layers:
        check_made_for(atlas)
        if missing := sorted(set(wanted) - set(atlas.layers)):
            raise NbkitError(f"atlas {atlas.path} has no layer {missing[0]}: choose of {list(atlas.layers)}")
    if not parts:
        raise NbkitError("There is nothing to measure: give layers, toys or networks.")
    tables: list[pd.DataFrame] = in_processes(_part, parts, n_jobs, what, "part", progress)
    return pd.concat(tables, ignore_index=True)


def check_made_for(atlas: Atlas) -> None:
    """Refuses an atlas that is not of the positive activations of a language model's neurons.

    Raises:
        NbkitError: it is of something else.
    """
    m = atlas.manifest
    what = None if m.inputs == "text" else f"of {m.inputs}"
    if m.sign != "positive":
        what = f"of {m.sign} activations"
    if any(site.unit != "neuron" for site in m.sites):
        what = "not of neurons alone"
    if what is not None:
        raise NbkitError(f"atlas {atlas.path} is {what}: give one of the positive activations of text's neurons")


def _part(make: Callable[..., pd.DataFrame], *arguments: Any) -> pd.DataFrame:
    return make(*arguments)


def _kept(
    name: str, entered: Iterable[str], request: Mapping[str, Any], make: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    """The table of a part, under a name made of the contestants that enter it and what else was asked for."""
    same = {"recipe": CONTEST_RECIPE, "version": BENCHMARK_VERSION, "contestants": sorted({*CONTESTANTS, *entered})}
    return kept_table(f"ground-truth-{name}", {**same, **request}, make)


def _names_in_layer() -> list[str]:
    """The contestants of `in_layer`, which are the same for any background; none is trained until it sees a unit."""
    return list(in_layer(Background(np.eye(16))))


def contest_units(
    layers: Sequence[tuple[Atlas, Sequence[int]]],
    size: ContestSize = PUBLISHED,
    seed: int = 0,
) -> Iterator[LabeledUnit]:
    """The units of `contest`, for a contestant of one's own: `nbkit.benchmark(mine, contest_units(layers))` measures it
    on what the published leaderboard is of.

    Args:
        layers, size, seed: as there.

    Raises:
        NbkitError: an atlas is of something else, or a model can't be opened.
    """
    for atlas, wanted in layers:
        check_made_for(atlas)
        for _, units in text_layers(atlas, wanted, size.text, seed):
            yield from units
    for number, with_cnn in _networks(size):
        yield from _image_units(number, with_cnn, size.most)
    for toy, with_nulls in _toys(size):
        yield from _toy_units(toy, size.most, with_nulls)


def _networks(size: ContestSize) -> list[tuple[int, bool]]:
    """Seeds of the networks of images, and whether the convolutional one is made too."""
    return [(number, number < size.networks // 2) for number in range(size.networks)]


def _toys(size: ContestSize) -> list[tuple[Toy, bool]]:
    """The toys, and whether their null units are measured too."""
    return [(toy, True) for toy in PLAIN[: size.toys]] + [(toy, False) for toy in HARDER_AND_EASIER[: size.variants]]


def _toy_units(toy: Toy, most: int, with_nulls: bool) -> Iterator[LabeledUnit]:
    yield from toy_units(toy)[:most]
    if with_nulls:
        yield from nulls_of(toy, most)


def _image_units(number: int, with_cnn: bool, most: int) -> Iterable[LabeledUnit]:
    return image_units([number], [number] if with_cnn else [], most=most)


def _of_network(toys: list[tuple[Toy, bool]], most: int) -> pd.DataFrame:
    return pd.concat(_of_toy(toy, most, with_nulls) for toy, with_nulls in toys)


def _of_toy(toy: Toy, most: int, with_nulls: bool) -> pd.DataFrame:
    request = {"toy": asdict(toy), "most": most, "nulls": with_nulls, "autoencoder": asdict(ON_TOYS)}
    units = _toy_units(toy, most, with_nulls)
    return _kept("toy", LEARNED, request, lambda: benchmark({**CONTESTANTS, **LEARNED}, units))


def _of_images(number: int, with_cnn: bool, most: int) -> pd.DataFrame:
    def make() -> pd.DataFrame:
        units = _image_units(number, with_cnn, most)
        return pd.concat(
            benchmark({**CONTESTANTS, **in_layer(background)}, list(of_one))
            for background, of_one in groupby(units, key=lambda labeled: labeled.unit.background)
        )

    return _kept("images", _names_in_layer(), {"number": number, "cnn": with_cnn, "most": most}, make)


def _of_text(path: Path, layers: tuple[int, ...], text: TextUnits, seed: int) -> pd.DataFrame:
    atlas = open_atlas(path)
    m = atlas.manifest

    def make() -> pd.DataFrame:
        tables, sentence = [], SentenceEncoder()
        for reads, units in text_layers(atlas, layers, text, seed):
            contestants: dict[str, Embed] = {**CONTESTANTS, **in_layer(Background(reads.read))}
            contestants[SENTENCE] = sentence
            tables += [benchmark(contestants, units), _by_meaning(units, contestants)]
        return pd.concat(tables)

    made_of = {**asdict(m), "layers_measured": layers}
    return _kept("text", [*_names_in_layer(), SENTENCE], {"atlas": made_of, **asdict(text), "seed": seed}, make)


def _by_meaning(units: list[LabeledUnit], contestants: Mapping[str, Embed]) -> pd.DataFrame:
    """`form_or_meaning` of a layer in the columns of `benchmark`: one unit for each reader, its measure as pair AUC."""
    senses = [labeled for labeled in units if labeled.task == "senses"]
    if not any(labeled.difficulty["words"] == 2 for labeled in senses):
        return pd.DataFrame()
    found = form_or_meaning(contestants, senses).rename(columns={"meaning": "value"})
    group = units[0].group
    return found[["contestant", "condition", "value"]].assign(
        version=BENCHMARK_VERSION, task=FORM_OR_MEANING, group=group, measure="auc", unit=group + " " + found["reader"]
    )
