"""Sums of latents of an autoencoder that no contestant has: of other weights to begin with, trained on other text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from nbkit.method.truth.unit import LabeledUnit
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.studies.shared.learned import STEPS_IN_LAYER, codes_of
from nbkit.studies.shared.planted.probe_sums import MIXED, merged_probes
from nbkit.studies.shared.planted.probes import FEWEST_TOKENS, Probes
from nbkit.studies.shared.planted.token_reads import TokenReads, held_out
from nbkit.studies.shared.scaled_training import topk_config, train_scaled

OTHER_SEED = 1
"""Of the autoencoder's weights and order; those of the contestants have 0."""
AT_ONCE = 4096
"""Vectors whose latents are found at once."""


def merged_latents(
    reads: TokenReads, others: Float[np.ndarray, "n d"], terms: Sequence[int], most: int, seed: int = 0
) -> list[LabeledUnit]:
    """Units that are sums of encoder rows of an autoencoder of the layer: task "merged latents".

    Examples and labels are those of `merged_probes`: of the held-out contexts in which the sum is strongest the
    strongest token, labeled with the latent that pushes most.

    Args:
        reads: of the layer.
        others: what it reads in other documents, to train on.
        terms: how many latents are added up; units are made for each number.
        most: units of each number.
        seed: of the draws.

    Returns:
        None if there are not latents enough for two units.
    """
    n, d = others.shape
    config = topk_config(  # as contestants' autoencoders are
        d_sae=max(2, min(4 * d, n // 8)),
        k=min(32, max(2, d // 16)),
        seed=OTHER_SEED,
        epochs=min(16, max(1, round(STEPS_IN_LAYER * 256 / n))),
    )
    probes = latent_probes(train_scaled(torch.from_numpy(others), config), reads, seed)
    if len(probes.names) < 2 * max(terms):
        return []
    return merged_probes(probes, terms, most=most, seed=seed, task="merged latents")


def latent_probes(sae: SparseAutoencoder, reads: TokenReads, seed: int = 0) -> Probes:
    """The latents that are active at `FEWEST_TOKENS` tokens of both halves of the documents, as probes: their encoder
    rows, each scaled to 0 at the mean token and to 1 at the mean of its own."""
    n = len(reads.read)
    member = np.concatenate([codes_of(sae, reads.read[first : first + AT_ONCE]) > 0 for first in range(0, n, AT_ONCE)])
    held = held_out(reads.document, seed)
    enough = np.minimum(member[held].sum(axis=0), member[~held].sum(axis=0)) >= FEWEST_TOKENS
    member, numbers = member[:, enough], np.flatnonzero(enough)
    mean = reads.read[~held].mean(axis=0, dtype=np.float64)
    away = np.array([reads.read[tokens & ~held].mean(axis=0, dtype=np.float64) for tokens in member.T]).reshape(
        -1, len(mean)
    )
    weights = sae.w_enc.detach().numpy().T[numbers]
    pushed = ((away - mean) * weights).sum(axis=1)
    able = pushed > 0
    return Probes(
        names=tuple(f"latent {number}" for number in numbers[able]),
        weights=(weights[able] / pushed[able, None]).astype(np.float32),
        mean=mean.astype(np.float32),
        method="latents",
        kinds=(MIXED,) * int(able.sum()),
        member=member[:, able],
        reads=reads,
        seed=seed,
    )
