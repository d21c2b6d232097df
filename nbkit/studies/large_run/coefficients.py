"""What a unit of each kind of work costs: measured on this machine, or assumed of a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_number

H100_BARE, H100_SCAN = 616_000.0, 236_000.0
"""Tokens a second of the bare forward pass and of the scan of SmolLM2-135M's 46,080 neurons on one H100 in bfloat16,
256 contexts a batch, over the first million tokens of the Brown corpus: measured once, see the README."""
H100_NEURONS, H100_PARAMETERS = 46_080, 106_203_456
"""Of the blocks of that model."""
H100_PEAK, H100_MEMORY = 989e12, 3.35e12
"""Operations a second in dense bfloat16, and bytes a second of its memory, from an H100's data sheet."""
FLOAT32_SHARE = 1 / 16
"""Of a GPU's dense bfloat16 peak that it has in float32, by the data sheets of A100 and H100."""


@dataclass(frozen=True)
class Kept:
    """How many of n contexts, on average, a unit keeps as long as no later one rules them out.

    K(n) = a ((1 + n / n0)^p - 1) / p, and never above n, nor, if `ranks` is known, above k (1 + ln(n / k)), which is
    all that the rule of ranks lets through of contexts in random order (see `nbkit.atlas.scan`). The logarithm of that
    rule is the law with p = 0; the threshold, which rises with the maximum, has no such formula.
    """

    scale: float
    """a, in contexts."""
    onset: float
    """n0, contexts from which on the law bends."""
    power: float
    """p, at most 1."""
    ranks: int | None = None
    """k, the examples that are kept of a unit in the end."""

    def __call__(self, n: float) -> float:
        """K(n)."""
        law = min(self.scale * float(_box_cox(np.array(n / self.onset), self.power)), n)
        k = self.ranks
        return law if k is None or n <= k else min(law, float(k * (1 + np.log(n / k))))

    def between(self, seen: float, n: float) -> float:
        """What is kept of the n contexts behind `seen` others: K(seen + n) - K(seen)."""
        return self(seen + n) - self(seen)

    @classmethod
    def through(cls, seen: Sequence[float], kept: Sequence[float], n: float, ranks: int | None = None) -> Kept:
        """The law that comes nearest to what was kept of three blocks of n contexts each, by its logarithm.

        Args:
            seen: contexts before each, 0 before the first.
            kept: of a unit.
            n: contexts of a block.
            ranks: see `Kept.ranks`.

        Raises:
            NbkitError: nothing was kept of one of them.
        """
        if min(kept) <= 0:
            raise NbkitError("a block has no record of any neuron: measure on larger blocks")
        ends = np.array(seen, dtype=float)

        def law(onset: float, power: float) -> Float[np.ndarray, " blocks"]:
            grown: Float[np.ndarray, " blocks"] = _box_cox((ends + n) / onset, power) - _box_cox(ends / onset, power)
            return grown

        def misses(at: Float[np.ndarray, 2]) -> Float[np.ndarray, " later"]:
            found: Float[np.ndarray, " later"] = np.diff(np.log(law(n * np.exp(at[0]), at[1])) - np.log(kept))
            return found

        found = least_squares(misses, (0.0, 0.3), bounds=((-7.0, -3.0), (7.0, 1.0)))
        onset, power = float(n * np.exp(found.x[0])), float(found.x[1])
        return cls(float(kept[0] / law(onset, power)[0]), onset, power, ranks)


def _box_cox(x: Float[np.ndarray, "*shape"], power: float) -> Float[np.ndarray, "*shape"]:
    """((1 + x)^power - 1) / power, and its limit at 0."""
    grown: Float[np.ndarray, "*shape"] = np.log1p(x)
    if abs(power) > 1e-9:
        grown = np.expm1(power * grown) / power
    return grown


@dataclass(frozen=True)
class Coefficients:
    """Seconds, bytes and rates of one worker."""

    name: str
    """Of what it is."""
    flops: float
    """Floating-point operations a second of the bare forward pass, 2 for a parameter and token."""
    look: float
    """Seconds that the capture takes for an activation (of one neuron at one token)."""
    keep: float
    """Seconds that it takes for a record that it keeps."""
    candidates: Kept
    """Records of possible examples, for a neuron."""
    levels: Kept
    """Records of examples at lower levels, for a neuron."""
    candidate_bytes: float
    """Of a record without its vector."""
    level_bytes: float
    neuron_bytes: float
    """Of a neuron in each block: its maximum, and how often it was at which level."""
    number_bytes: int
    """Of a coordinate of a vector, and of a weight."""
    positions: float
    """Share of a block's positions among which the candidates of a layer spread."""
    write: float
    """Bytes a second at which a worker makes the file of a block and writes it to its own disk."""
    check: float
    """Bytes a second at which a process reads blocks and compares their checksums."""
    merge: float
    """Bytes of blocks a second of which a worker makes the file of a layer, tokens that neurons promote apart."""
    effect_flops: float
    """Operations a second of the product of output weights and unembedding, in float32."""
    metric: float
    """Seconds that the metrics of a neuron take for a coordinate of its vectors."""
    start: float
    """Seconds from asking for a worker until it has opened the model that was measured."""
    spread: float
    """Standard deviation of the seconds of a block as a share of their mean."""


def gpu(here: Coefficients, name: str, peak: float, utilization: float, memory: float) -> Coefficients:
    """A GPU whose forward pass has an assumed speed.

    Its capture is that of an H100 by the measured speeds, (1 / scan - 1 / bare) / neurons seconds an activation, times
    the ratio of the speeds of their memories: an assumption, since looking at an activation computes next to nothing.
    It is of the first million tokens, and has in it what is kept. Bytes, disk and merge are those of this machine, but
    promoted tokens are found on the GPU.

    Args:
        here: what was measured.
        name: of the GPU.
        peak: floating-point operations a second in dense bfloat16.
        utilization: the share of them that the forward pass achieves.
        memory: bytes a second of the GPU's memory.

    Raises:
        NbkitError: a speed isn't above 0, or a share isn't one.
    """
    positive = "give a speed above 0"
    peak = checked_number("peak", peak, positive, 0, np.inf, "()")
    share = checked_number("utilization", utilization, "it is a share of the peak, in (0, 1]", 0, 1, "(]")
    memory = checked_number("memory", memory, positive, 0, np.inf, "()")
    look = (1 / H100_SCAN - 1 / H100_BARE) / H100_NEURONS * H100_MEMORY / memory
    return replace(here, name=name, flops=peak * share, look=look, keep=0.0, effect_flops=peak * FLOAT32_SHARE)


def h100(here: Coefficients) -> Coefficients:
    """An H100 whose forward pass has the speed that was measured of the small model; large models keep it busier."""
    measured = 2 * H100_PARAMETERS * H100_BARE
    return gpu(here, "H100, as fast as measured", H100_PEAK, measured / H100_PEAK, H100_MEMORY)
