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
from nbkit.studies.ground_truth.token_reads import TokenReads, held_out

ProbeKind = Literal["discriminant", "means"]
"""`discriminant`: S^-1 (mean of the concept's tokens - mean of all), where S is the covariance with the shrinkage of
Ledoit and Wolf (2004); the direction of least squares, or of a ridge, but for the shrinkage. `means`: the difference of
the means alone."""
FEWEST_TOKENS = 25
"""A concept with fewer tokens in either half gets no probe."""


@dataclass(frozen=True, eq=False)
class Probes:
    """Probes of one layer, each scaled so that its score is 0 at the mean token and 1 at the mean of its concept's."""

    names: tuple[str, ...]
    weights: Float[np.ndarray, "concepts d"]
    mean: Float[np.ndarray, " d"]
    """Of the tokens that they were trained on."""
    kind: ProbeKind
    reads: TokenReads
    seed: int
    """Of the halves."""

    @cached_property
    def held_out(self) -> Bool[np.ndarray, " n"]:
        """Tokens of the documents that no probe has seen."""
        return held_out(self.reads.document, self.seed)


def train_probes(
    reads: TokenReads, concepts: Mapping[str, Bool[np.ndarray, " n"]], kind: ProbeKind = "discriminant", seed: int = 0
) -> Probes:
    """Train a probe for each concept, on the tokens with a word in the half of the documents that is not `held_out`.

    Args:
        concepts: by name, which of the tokens are of each; one with fewer than 25 in either half is left out.
        kind: see `ProbeKind`.
        seed: of the halves.

    Raises:
        NbkitError: another kind, or no concept has tokens enough.
    """
    if kind not in get_args(ProbeKind):
        raise NbkitError(f"kind is {shown(kind)}: choose {' or '.join(get_args(ProbeKind))}.")
    held = held_out(reads.document, seed)
    seen = ~held & reads.of(reads.labeled.has_word)
    names = [
        name for name, tokens in concepts.items() if min((tokens & seen).sum(), (tokens & held).sum()) >= FEWEST_TOKENS
    ]
    if not names:
        raise NbkitError(f"{reads.group}: no concept has {FEWEST_TOKENS} tokens in both halves: give more contexts.")
    mean = reads.read[seen].mean(axis=0, dtype=np.float64)
    away = np.stack([reads.read[concepts[name] & seen].mean(axis=0, dtype=np.float64) for name in names]) - mean
    if kind == "means":
        weights = away
    else:
        covariance, _ = ledoit_wolf(reads.read[seen].astype(np.float64))
        weights = np.linalg.solve(covariance, away.T).T
    weights = weights / (weights * away).sum(axis=1, keepdims=True)
    return Probes(tuple(names), weights.astype(np.float32), mean.astype(np.float32), kind, reads, seed)
