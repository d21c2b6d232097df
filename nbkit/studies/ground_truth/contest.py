"""The contest: all contestants on all tasks, in parts, each kept once it is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, get_args

import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.method.checks import checked_whole
from nbkit.method.truth.benchmark import VERSION, benchmark
from nbkit.method.truth.contestants import CONTESTANTS
from nbkit.method.truth.standard import HARDER_AND_EASIER, PLAIN, nulls_of
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.method.truth.unit import Background, LabeledUnit
from nbkit.parallel.pool import in_processes
from nbkit.studies.ground_truth.chosen_contexts import choose_contexts
from nbkit.studies.ground_truth.concepts import concepts_of
from nbkit.studies.ground_truth.images import image_units
from nbkit.studies.ground_truth.labeled_contexts import label_contexts
from nbkit.studies.ground_truth.learned import LEARNED, in_layer
from nbkit.studies.ground_truth.merged import merged_neurons
from nbkit.studies.ground_truth.planted import concept_units, merged_probes
from nbkit.studies.ground_truth.probes import ProbeMethod, train_probes
from nbkit.studies.ground_truth.senses import sense_units
from nbkit.studies.ground_truth.sentences import sentence
from nbkit.studies.ground_truth.token_reads import TokenReads, read_layers
from nbkit.studies.shared.kept_tables import kept_table
from nbkit.studies.shared.text_and_model import model_of

RECIPE = 1
"""Goes up when a number changes its meaning, so that tables of an older nbkit are measured again."""


def contest(
    layers: Sequence[tuple[Atlas, Sequence[int]]],
    toys: int = 6,
    variants: int = 18,
    networks: int = 4,
    most: int = 12,
    documents: int = 150,
    n_contexts: int = 900,
    seed: int = 0,
    n_jobs: int = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure all contestants on units whose behaviors are known, each beside its control.

    Args:
        layers: of language models: an atlas of each model's neurons, and the layers whose units are made.
        toys: plain toys, each with its null units.
        variants: toys that are harder or easier in one thing.
        networks: seeds of the MNIST MLP; half as many of the convolutional network.
        most: units of a toy, of a layer of images, and of merged neurons of one layer and number of terms, at most; a
            quarter of it of planted units of one kind and number of terms.
        documents, n_contexts: of the text whose tokens carry labels, see `label_contexts` and `choose_contexts`.
        seed: of the draws.
        n_jobs: processes for toys and images; -1 for one a core.
        progress: whether to show bars.

    Returns:
        See `benchmark`.

    Raises:
        NbkitError: an atlas has no such layer, a model can't be opened, or the cache folder can't be written.
    """
    for atlas, wanted in layers:
        if missing := sorted(set(wanted) - set(atlas.layers)):
            raise NbkitError(f"atlas {atlas.path} has no layer {missing[0]}: choose of {list(atlas.layers)}")
    most = checked_whole("most", most, 2)
    # the largest first: a core that is done would wait for them
    small: list[tuple[Any, ...]] = [(_images, networks, number, most) for number in range(networks)]
    small += [(_toy, toy, most, True) for toy in PLAIN[:toys]]
    small += [(_toy, toy, most, False) for toy in HARDER_AND_EASIER[:variants]]
    tables = [
        _language_model(atlas, tuple(wanted), most, documents, n_contexts, seed) for atlas, wanted in layers if wanted
    ]
    tables += in_processes(_part, small, n_jobs, "ground truth", "part", progress)
    return pd.concat(tables, ignore_index=True)


def _part(make: Callable[..., pd.DataFrame], *arguments: Any) -> pd.DataFrame:
    return make(*arguments)


def _kept(name: str, request: Mapping[str, Any], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    return kept_table(f"ground-truth-{name}", {"recipe": RECIPE, "version": VERSION, **request}, make)


def _toy(toy: Toy, most: int, with_nulls: bool) -> pd.DataFrame:
    def units() -> Iterator[LabeledUnit]:
        yield from toy_units(toy)[:most]
        if with_nulls:
            yield from nulls_of(toy)

    request = {"toy": asdict(toy), "most": most, "nulls": with_nulls}
    return _kept("toy", request, lambda: benchmark({**CONTESTANTS, **LEARNED}, units()))


def _images(networks: int, number: int, most: int) -> pd.DataFrame:
    """Of one MLP and, for the first half of them, one convolutional network."""

    def make() -> pd.DataFrame:
        units = image_units([number], [number] if number < networks // 2 else [], most=most)
        return pd.concat(
            benchmark({**CONTESTANTS, **in_layer(background)}, list(of_one))
            for background, of_one in groupby(units, key=lambda labeled: labeled.unit.background)
        )

    return _kept("images", {"number": number, "cnn": number < networks // 2, "most": most}, make)


def _language_model(
    atlas: Atlas, layers: tuple[int, ...], most: int, documents: int, n_contexts: int, seed: int
) -> pd.DataFrame:
    m = atlas.manifest
    request = {
        "model": m.model_sha256,
        "contexts": m.contexts_sha256,
        "dtype": m.dtype,
        "layers": layers,
        "most": most,
        "documents": documents,
        "n_contexts": n_contexts,
        "seed": seed,
    }

    def make() -> pd.DataFrame:
        model = model_of(atlas, progress=False)
        labeled = choose_contexts(label_contexts(model, documents=documents, seed=seed), n_contexts, seed=seed)
        tables = []
        for layer, reads in zip(layers, read_layers(model, labeled, layers, seed), strict=True):
            contestants = {**CONTESTANTS, **in_layer(Background(reads.read)), "sentence encoder": sentence}
            tables.append(benchmark(contestants, _text_units(atlas, layer, reads, most, seed)))
        return pd.concat(tables)

    return _kept("text", request, make)


def _text_units(atlas: Atlas, layer: int, reads: TokenReads, most: int, seed: int) -> Iterator[LabeledUnit]:
    kinds, few = concepts_of(reads), max(2, most // 4)
    for method in get_args(ProbeMethod):
        probes = train_probes(reads, kinds, method, seed)
        yield from concept_units(probes, most=few, seed=seed)
        yield from merged_probes(probes, most=few, seed=seed)
        yield from sense_units(probes, seed=seed)
    yield from merged_neurons(atlas, most=most, layers=[layer], seed=seed)
    if atlas.manifest.gated:
        yield from merged_neurons(atlas, most=most, layers=[layer], seed=seed, outputs=True)
