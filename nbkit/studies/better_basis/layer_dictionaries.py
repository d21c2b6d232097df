"""Dictionaries of a language model's layers that differ in one thing each, and planted units in the basis of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from nbkit.errors import NbkitError
from nbkit.method.truth.benchmark import BENCHMARK_VERSION
from nbkit.method.truth.contestants import CONTESTANTS
from nbkit.method.truth.unit import Background, LabeledUnit
from nbkit.models import load_model
from nbkit.parallel.pool import in_processes
from nbkit.studies.better_basis.stages import PRE_MLP, conditions
from nbkit.studies.shared.kept_tables import kept_table
from nbkit.studies.shared.learned import FEATURES, JOINT, autoencoder_of, dictionary_of, in_basis, unexplained
from nbkit.studies.shared.planted.layers import STANDARD_TEXT_UNITS, TextUnits, planted_layers
from nbkit.studies.shared.planted.token_reads import held_out
from nbkit.studies.shared.scaled_training import topk_config
from nbkit.studies.shared.text_and_model import without_bars

LAYER_RECIPE = 1
"""Goes up when a number changes its meaning."""
LEARNING_RATE = 2e-3
"""Of three rates the one that leaves least unexplained after as many steps."""


@dataclass(frozen=True)
class Training:
    """How a dictionary of a layer is trained; the others differ in one thing from the one that these defaults give."""

    passes: int = 4
    """Over all vectors that there are to train on; over a part of them it goes as much more often as makes for as many
    steps. 0 for an autoencoder as training begins."""
    width: float = 2.0
    """Latents for each coordinate."""
    k: int = 16
    """Latents that are active at a token."""
    share: float = 1.0
    """Of the vectors that there are to train on, drawn at random."""


VECTORS = (PRE_MLP, "centered")
"""Spaces without a dictionary."""
VARIED: Mapping[str, Sequence[float]] = {"passes": (0, 1, 8), "width": (1, 8), "k": (8, 32), "share": (0.1, 0.5)}
"""What dictionaries differ in, a field of `Training`, and by how much."""


def trainings(varied: Mapping[str, Sequence[float]]) -> list[Training]:
    """The dictionary of the defaults, and those that differ from it in one thing.

    Raises:
        NbkitError: there is no such thing.
    """
    known = [field.name for field in fields(Training)]
    if unknown := [name for name in varied if name not in known]:
        raise NbkitError(f"Dictionaries don't differ in {unknown[0]}: vary {', '.join(known)}.")
    others = [_differing(name, value) for name, values in varied.items() for value in values]
    return list(dict.fromkeys([Training(), *others]))


def _differing(name: str, value: Any) -> Training:
    return replace(Training(), **{name: value})


def layer_quality(
    model: str,
    layers: Sequence[int],
    varied: Mapping[str, Sequence[float]] = VARIED,
    text: TextUnits = STANDARD_TEXT_UNITS,
    seed: int = 0,
    n_jobs: int = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure planted units of a language model's layers in the bases of dictionaries of these layers; kept.

    A dictionary is trained on vectors of the documents that the units' probes are trained on, and what it leaves
    unexplained is measured on those that the units' examples come from.

    Args:
        model: by a name that `nbkit.load_model` knows.
        layers: their numbers.
        varied: what the dictionaries differ in, see `trainings`.
        text: how many units are made; those of real neurons are not.
        seed: of the draws, and of the dictionaries' weights.
        n_jobs: processes; -1 for one a core.
        progress: whether to show a bar.

    Returns:
        One row a unit, space, condition and dictionary: `group` (the layer), `unit`, `task`, `space`, `condition`
        ("own", or "shuffled": with another unit's weights), the fields of `Training`, `unexplained`, `auc` and `ari`.
        Spaces without a dictionary have NaN in its columns.

    Raises:
        NbkitError: the model can't be opened or has no such layer, or dictionaries are to differ in something else.
    """
    dictionaries = trainings(varied)
    request = {"recipe": LAYER_RECIPE, "version": BENCHMARK_VERSION, "model": model, "layers": layers}
    request |= {"text": asdict(text), "trainings": [asdict(each) for each in dictionaries], "seed": seed}

    def make() -> pd.DataFrame:
        tasks = [(*each, dictionaries, seed) for each in _layers(model, layers, text, seed)]
        tables: list[pd.DataFrame] = in_processes(
            of_layer, tasks, n_jobs if len(tasks) > 1 else 1, "dictionaries", "layer", progress
        )
        return pd.concat(tables, ignore_index=True)

    return kept_table("better-basis-layers", request, make)


Layer = tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"], list[LabeledUnit]]
"""Vectors to train on, others, and units."""


def _layers(name: str, layers: Sequence[int], text: TextUnits, seed: int) -> Iterator[Layer]:
    with without_bars():
        model = load_model(name)
    for reads, units in planted_layers(model, layers, text, seed, around=False):
        held = held_out(reads.document, seed)
        yield reads.read[~held], reads.read[held], [_clear(labeled) for labeled in units]


def _clear(labeled: LabeledUnit) -> LabeledUnit:
    """A unit with the examples of one behavior alone, without their text and under a name that no other task has."""
    clear = labeled.take(~labeled.ambiguous)
    return replace(clear, unit=replace(clear.unit, text=None), name=f"{clear.task}, {clear.name}")


def of_layer(
    vectors: Float[np.ndarray, "n d"],
    others: Float[np.ndarray, "m d"],
    units: Sequence[LabeledUnit],
    dictionaries: Sequence[Training],
    seed: int,
) -> pd.DataFrame:
    """See `layer_quality`, of one layer.

    Args:
        vectors: to train on.
        others: on which it is measured what a dictionary leaves.
    """
    return pd.DataFrame(_measure(vectors, Background(others), units, dictionaries, seed))


def _measure(
    vectors: Float[np.ndarray, "n d"],
    others: Background,
    units: Sequence[LabeledUnit],
    dictionaries: Sequence[Training],
    seed: int,
) -> Iterator[dict[str, Any]]:
    for labeled in units:
        for space in VECTORS:
            yield from conditions(labeled, space, CONTESTANTS[space], {"task": labeled.task})
    for training in dictionaries:
        n, d = vectors.shape
        drawn = np.random.default_rng(seed).permutation(n)[: round(training.share * n)]
        config = topk_config(
            d_sae=round(training.width * d),
            k=training.k,
            seed=seed,
            epochs=max(1, round(training.passes / training.share)),
            learning_rate=LEARNING_RATE,
        )
        sae = autoencoder_of(Background(vectors[drawn]), config, trained=training.passes > 0)
        spaces = in_basis(dictionary_of(sae))
        about = {**asdict(training), "unexplained": unexplained(sae, others)}
        for labeled in units:
            for space in (FEATURES, JOINT):
                yield from conditions(labeled, space, spaces[space], {"task": labeled.task, **about})
