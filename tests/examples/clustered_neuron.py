"""A neuron in memory whose behaviors are known: one direction of what it reads for each."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int

from nbkit.atlas.neuron import InputWeights, Neuron
from nbkit.atlas.reads import Reads
from nbkit.atlas.snippets import TOKENS_BEFORE, WINDOW
from nbkit.models.site import Site

WIDTH = 6


def clustered_neuron(
    behavior: Int[np.ndarray, " n"],
    words: Int[np.ndarray, " n"] | None = None,
    position: Int[np.ndarray, " n"] | None = None,
    w_in: Float[np.ndarray, " d"] | None = None,
    donor: Float[np.ndarray, " d"] | None = None,
    noise: float = 0.05,
) -> Neuron:
    """A plain neuron of layer 1 with one example a context.

    Args:
        behavior: of each example, below `WIDTH`.
        words: numbers of the key words; the behaviors if None.
        position: of the key tokens; all at 5 if None.
        w_in: its weights, and those of another neuron; ones if None.
        noise: standard deviation of what is read besides.
    """
    n = len(behavior)
    read = np.eye(WIDTH)[behavior] + noise * np.random.default_rng(0).normal(size=(n, WIDTH))
    words = behavior if words is None else words
    window = np.zeros((n, WINDOW), dtype=np.float32)
    window[:, TOKENS_BEFORE] = 1
    texts = [(" about", f" topic{of}", f" word{word}") for of, word in zip(behavior, words, strict=True)]
    weights = [InputWeights(np.ones(WIDTH) if each is None else each, 0.0) for each in (w_in, donor)]
    return Neuron(
        site=Site.of_neurons(1, 4, WIDTH, False, "relu"),
        index=2,
        max_activation=1.0,
        context=np.arange(n),
        position=np.full(n, 5) if position is None else position,
        peak=window[:, TOKENS_BEFORE],
        key_ids=words,
        pre_mlp=read.astype(np.float32),
        window=window,
        weights=weights[0],
        donor=weights[1],
        embedding="input",
        reads=Reads(torch.from_numpy(read)),
        snippet_tokens=[(text, 2) for text in texts],
        key_words=words,
    )
