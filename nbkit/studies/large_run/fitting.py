"""The coefficients of this machine, from a sample."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq, nnls

from nbkit.studies.large_run.coefficients import Coefficients, Kept
from nbkit.studies.large_run.sample import Sample
from nbkit.studies.shared.words import counted


def measured(sample: Sample) -> Coefficients:
    """What the equations of `nbkit.studies.large_run.cost_model` need, from what a sample took.

    What a neuron keeps goes through three points: the first two blocks, and one behind the atlas's whole text. Blocks
    between are not fitted, so they can be compared. The capture's two coefficients are a least-squares fit of the
    seconds by which scan and bare pass differ, neither below 0.
    """
    blocks, shape, size = sample.blocks, sample.shape, sample.block_size
    tokens = sample.length * size
    beside = (blocks["scan"] - blocks["bare"]).to_numpy()
    records = (blocks["candidates"] + blocks["levels"]).to_numpy()
    of_neuron = np.column_stack([np.full(len(blocks), float(tokens)), records])
    look, keep = nnls(of_neuron * shape.n_neurons, beside)[0]
    seen, first = (0, size, sample.n_contexts - size), blocks.iloc[0]
    laws = {
        key: Kept.through(seen, (*blocks[key][:2], sample.last[key]), size, ranks)
        for key, ranks in (("candidates", sample.max_examples), ("levels", None))
    }
    return Coefficients(
        name=f"this machine, {counted(sample.threads, 'thread')}",
        flops=2 * shape.n_parameters * tokens * len(blocks) / float(blocks["bare"].sum()),
        look=float(look),
        keep=float(keep),
        candidates=laws["candidates"],
        levels=laws["levels"],
        candidate_bytes=sample.bytes_of["candidate"],
        level_bytes=sample.bytes_of["level"],
        neuron_bytes=sample.bytes_of["neuron"],
        number_bytes=int(sample.bytes_of["number"]),
        positions=places(float(first["candidates"]) * shape.d_mlp, float(first["vectors"]), tokens) / tokens,
        write=float(blocks["bytes"].sum() / blocks["write"].sum()),
        check=float(blocks["bytes"].sum()) / sample.check,
        merge=sample.merged_bytes / sample.merge,
        effect_flops=2 * shape.d_mlp * shape.d_model * shape.d_vocabulary / sample.effects,
        metric=sample.metrics / shape.d_model,
        start=sample.workers.start,
        spread=float(blocks["bare"].std() / blocks["bare"].mean()),
    )


def places(hits: float, different: float, most: float) -> float:
    """Among how many places hits fall at random, if so many different ones are hit: S of different = S (1 - exp(-hits /
    S)), or `most` if that is less.

    Args:
        hits: above 0.
        different: above 0.
        most: places that there are.
    """

    def excess(places: float) -> float:
        return float(-places * np.expm1(-hits / places)) - different

    if excess(most) <= 0:
        return most
    least = different / 2  # fewer places than are hit
    return float(brentq(excess, least, most))
