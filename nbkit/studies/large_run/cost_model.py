"""What the parts of a large run cost one worker: a few equations, filled with `Coefficients`.

Sizes of the model (`Shape`): L layers of m neurons, which read vectors of width d; P parameters in its blocks; V tokens
in its vocabulary. Of the text: T tokens a context, B contexts a block. Of a worker: n contexts that it has scanned
before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_whole
from nbkit.studies.large_run.coefficients import Coefficients
from nbkit.studies.large_run.shape import Shape


@dataclass(frozen=True)
class Work:
    """What is to be scanned."""

    shape: Shape
    n_contexts: int
    length: int = 128
    """Tokens of a context."""
    block_size: int = 128
    """Contexts of a block."""
    max_examples: int = 100

    def __post_init__(self) -> None:
        for name in ("n_contexts", "length", "block_size", "max_examples"):
            object.__setattr__(self, name, checked_whole(name, getattr(self, name), 1))

    @classmethod
    def of_tokens(cls, shape: Shape, n_tokens: int, length: int = 128, block_size: int = 128) -> Work:
        """The work of as many whole contexts as so many tokens give.

        Raises:
            NbkitError: they don't fill one.
        """
        n_contexts = checked_whole("n_tokens", n_tokens, 1) // checked_whole("length", length, 1)
        if not n_contexts:
            raise NbkitError(f"{n_tokens} tokens don't fill a context of {length}: give more")
        return cls(shape, n_contexts, length, block_size)

    @property
    def n_blocks(self) -> int:
        return -(-self.n_contexts // self.block_size)

    @property
    def n_tokens(self) -> int:
        return self.n_contexts * self.length

    @property
    def million_tokens(self) -> float:
        return self.n_tokens / 1e6

    def size(self, number: int) -> int:
        """Contexts of a block."""
        return min(self.block_size, self.n_contexts - number * self.block_size)


@dataclass(frozen=True)
class Costs:
    """Of one worker, in seconds and bytes."""

    work: Work
    each: Coefficients

    def forward(self, contexts: int) -> float:
        """Seconds of the bare forward pass: 2 P T contexts / `flops`. Attention's products of tokens with tokens are
        left out, 4 % of all at 128 tokens in the small model, and less in larger ones."""
        return 2 * self.work.shape.n_parameters * self.work.length * contexts / self.each.flops

    def records(self, contexts: int, seen: int) -> tuple[float, float]:
        """Candidates and level examples of a neuron: K(n + contexts) - K(n) each, see `Kept`."""
        return self.each.candidates.between(seen, contexts), self.each.levels.between(seen, contexts)

    def capture(self, contexts: int, seen: int) -> float:
        """Seconds that the scan takes beside the forward pass: L m (T contexts `look` + records `keep`)."""
        looked_at = self.work.length * contexts * self.each.look
        return self.work.shape.n_neurons * (looked_at + sum(self.records(contexts, seen)) * self.each.keep)

    def vectors(self, contexts: int, seen: int) -> float:
        """Vectors of a layer: S (1 - exp(-m candidates / S)), as many different ones of S = `positions` T contexts
        places as m candidates hit that fall on them at random."""
        places = self.each.positions * self.work.length * contexts
        hits = self.work.shape.d_mlp * self.records(contexts, seen)[0]
        return float(places * -np.expm1(-hits / places))

    def block_bytes(self, contexts: int, seen: int) -> float:
        """Of the file of a block: L (m (`neuron_bytes` + candidates `candidate_bytes` + levels `level_bytes`) + vectors
        d `number_bytes`)."""
        shape, each = self.work.shape, self.each
        candidates, levels = self.records(contexts, seen)
        of_neuron = each.neuron_bytes + candidates * each.candidate_bytes + levels * each.level_bytes
        of_vectors = self.vectors(contexts, seen) * shape.d_model * each.number_bytes
        return shape.n_layers * (shape.d_mlp * of_neuron + of_vectors)

    def scan(self, contexts: int, seen: int) -> float:
        """Seconds of a block until its file is made: forward + capture + bytes / `write`."""
        made = self.block_bytes(contexts, seen) / self.each.write
        return self.forward(contexts) + self.capture(contexts, seen) + made

    def merge(self, layer_bytes: float) -> float:
        """Seconds of a layer's merge: bytes / `merge` + 2 m d V / `effect_flops`.

        Args:
            layer_bytes: of it, in all blocks.
        """
        shape = self.work.shape
        effects = 2 * shape.d_mlp * shape.d_model * shape.d_vocabulary / self.each.effect_flops
        return layer_bytes / self.each.merge + effects

    def metrics(self) -> float:
        """Seconds of a layer's metrics: m d `metric`."""
        return self.work.shape.d_mlp * self.work.shape.d_model * self.each.metric

    def weights_bytes(self) -> float:
        """That a worker loads: all weights, `number_bytes` each."""
        return float(self.work.shape.n_weights * self.each.number_bytes)

    def atlas_bytes_at_most(self) -> float:
        """Of the finished atlas: L m times twice `max_examples` records (examples, and strongest contexts that are
        none), or as many as one worker keeps of all contexts, each with a vector of its own."""
        shape, each = self.work.shape, self.each
        kept = min(2.0 * self.work.max_examples, each.candidates(self.work.n_contexts))
        return shape.n_neurons * (each.neuron_bytes + kept * (each.candidate_bytes + shape.d_model * each.number_bytes))
