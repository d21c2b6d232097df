"""Linear probes for concepts, trained on one half of the documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float
from sklearn.covariance import ledoit_wolf

from nbkit.errors import NbkitError
from nbkit.method.checks import shown
from nbkit.studies.shared.planted.concepts import Concepts
from nbkit.studies.shared.planted.token_reads import TokenReads, held_out

ProbeMethod = Literal["discriminant", "means"]
"""`discriminant`: S^-1 (mean of the concept's tokens - mean of all), where S is the covariance with the shrinkage of
Ledoit and Wolf (2004); the direction of least squares, or of a ridge, but for the shrinkage. `means`: the difference of
the means alone."""
FEWEST_TOKENS = 25
"""A concept or latent with fewer tokens in either half gets no probe."""


@dataclass(frozen=True, eq=False)
class Probes:
    """Probes of one layer, each scaled so that its score is 0 at the mean token and 1 at the mean of its concept's."""

    names: tuple[str, ...]
    weights: Float[np.ndarray, "concepts d"]
    mean: Float[np.ndarray, " d"]
    """Of the tokens that they were trained on."""
    method: ProbeMethod | Literal["latents"]
    """How they are trained; or that they are latents of an autoencoder."""
    kinds: tuple[str, ...]
    """The kind of each concept."""
    member: Bool[np.ndarray, "n concepts"]
    """Which tokens are of each."""
    reads: TokenReads
    seed: int
    """Of the halves."""

    @cached_property
    def held_out(self) -> Bool[np.ndarray, " n"]:
        """Tokens of the documents that no probe has seen."""
        return held_out(self.reads.document, self.seed)


def train_probes(
    reads: TokenReads, kinds: Mapping[str, Concepts], method: ProbeMethod = "discriminant", seed: int = 0
) -> Probes:
    """Train a probe for each concept, on the tokens with a word in the half of the documents that is not `held_out`.

    Args:
        kinds: concepts by kind, see `concepts_of`; a concept with fewer than 25 tokens in either half is left out.
        method: see `ProbeMethod`.
        seed: of the halves.

    Raises:
        NbkitError: another method, or no concept has tokens enough.
    """
    if method not in get_args(ProbeMethod):
        raise NbkitError(f"method is {shown(method)}: choose {' or '.join(get_args(ProbeMethod))}.")
    held = held_out(reads.document, seed)
    seen = ~held & reads.of(reads.labeled.has_word)
    able = {
        name: (kind, tokens)
        for kind, concepts in kinds.items()
        for name, tokens in concepts.items()
        if min((tokens & seen).sum(), (tokens & held).sum()) >= FEWEST_TOKENS
    }
    if not able:
        raise NbkitError(f"{reads.group}: no concept has {FEWEST_TOKENS} tokens in both halves: give more contexts.")
    member = np.stack([tokens for _, tokens in able.values()], axis=1)
    mean = reads.read[seen].mean(axis=0, dtype=np.float64)
    away = np.stack([reads.read[tokens & seen].mean(axis=0, dtype=np.float64) for tokens in member.T]) - mean
    weights = away
    if method == "discriminant":
        covariance, _ = ledoit_wolf(reads.read[seen].astype(np.float64))
        weights = np.linalg.solve(covariance, away.T).T
    weights = weights / (weights * away).sum(axis=1, keepdims=True)
    of = tuple(kind for kind, _ in able.values())
    return Probes(tuple(able), weights.astype(np.float32), mean.astype(np.float32), method, of, member, reads, seed)
