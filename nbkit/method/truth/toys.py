"""Task "toy": ReLU networks trained to compute in superposition, whose every pre-activation is known term by term."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_number, checked_seed, checked_whole
from nbkit.method.controls import other_units
from nbkit.method.truth.balance import balanced_behaviors, drawn_by_share
from nbkit.method.truth.dominant import dominant_terms, of_behaviors
from nbkit.method.truth.unit import Background, Features, LabeledUnit, Unit, locked

INPUTS = 60_000
"""Inputs that are drawn to look for a unit's examples."""
TOY_BACKGROUND = 4_000
"""Of them the background holds so many."""
TOY_SHARE = 0.25
"""An input is an example of a unit if it activates the unit by at least this share of its maximum."""
FEWEST_EXAMPLES = 10
"""A unit with fewer examples that are not ambiguous is left out."""
FAMILY = 5
"""Features that overlap with each other."""
MOST_BEHAVIORS = 8
"""Behaviors of a unit whose examples are drawn by a balance: about as many as units have whose examples are not, and
at 50 to 1 the rarest still has three of 300 examples."""
LATER = ("noise", "balance")
"""Options that toys got after they had names."""
TOYS = 20_240_611
"""Keeps a toy's draws apart from those that others make with the same seed."""


@dataclass(frozen=True)
class Toy:
    """A network whose units read sparse features in superposition: h = x D for features x, activations relu(h W + b),
    and a linear map from them that is trained to give back x."""

    n_features: int = 120
    """Sparse features; each is active on its own with a probability of active / n_features, uniform in 0 to 1 if so."""
    width: int = 32
    """Dimensions in which the units read them."""
    n_units: int = 64
    """ReLU units."""
    active: float = 3.0
    """How many features are active at once, on average."""
    overlap: float = 0.0
    """Expected cosine of the directions of two features of one family of five; 0 to below 1."""
    n_examples: int = 100
    """Most examples of a unit, drawn at random of those that it has."""
    steps: int = 1_000
    """Training steps, of 256 inputs each."""
    seed: int = 0
    """Of directions, training and inputs."""
    noise: float = 0.0
    """Standard deviation of Gaussian noise in every coordinate of what the trained units read, as a multiple of that of
    the vectors without it."""
    balance: float | None = None
    """Examples of the most frequent behavior over those of the rarest, from 1, those between falling by equal ratios;
    the behaviors are a unit's most frequent, at most `MOST_BEHAVIORS`. None for examples as they come."""

    def __post_init__(self) -> None:
        checked_whole("n_features", self.n_features, 2)
        checked_whole("width", self.width, 2)
        checked_whole("n_units", self.n_units, 2)
        checked_number("active", self.active, "choose above 0, at most n_features", 0, self.n_features, "(]")
        checked_number("overlap", self.overlap, "choose in [0, 1)", 0, 1)
        checked_whole("n_examples", self.n_examples, FEWEST_EXAMPLES)
        checked_whole("steps", self.steps, 1)
        checked_seed(self.seed)
        checked_number("noise", self.noise, "choose at least 0", 0, np.inf)
        if self.balance is not None:
            checked_number("balance", self.balance, "choose at least 1, or None", 1, np.inf)

    @property
    def name(self) -> str:
        """One that no toy of other options has; a toy without noise and balance is called as before there were any."""
        options = {name: value for name, value in asdict(self).items() if name not in LATER or value}
        return f"toy {zlib.crc32(repr(options).encode()):08x} seed {self.seed}"

    @property
    def network(self) -> Toy:
        """The toy that stands for all of one network, which differ in the examples that are drawn alone."""
        return replace(self, n_examples=FEWEST_EXAMPLES, balance=None)

    @property
    def difficulty(self) -> dict[str, float]:
        """What makes it hard, by name; NaN for the balance of examples as they come."""
        options = {name: value for name, value in asdict(self).items() if name not in ("seed", "steps")}
        return {name: float("nan") if value is None else float(value) for name, value in options.items()}

    @property
    def group(self) -> str:
        """That of all toys of its seed, which share what is drawn first: directions, or the whole network."""
        return f"toys of seed {self.seed}"


def toy_units(toy: Toy) -> list[LabeledUnit]:
    """Train a toy and label the examples of its units by exact contribution.

    A feature contributes to a unit's pre-activation its value times the dot product of its direction with the unit's
    weights; the contributions, that of the noise and the bias add up to the pre-activation. The behavior of an example
    is the feature that contributes most; see `dominant_terms` for ambiguous ones, where noise counts as a feature, and
    where it is the largest there is no behavior. Behaviors of fewer than three clear examples are left out, and so are
    units with fewer than two behaviors or ten clear examples, or with too few examples for the toy's balance. On one
    machine and version of PyTorch a toy always gives the same units.

    Raises:
        NbkitError: no unit is left.
    """
    units = list(each_unit(toy))
    if not units:
        raise NbkitError("No unit of this toy has ten clear examples of two behaviors: give it more units or features.")
    return units


def each_unit(toy: Toy) -> Iterator[LabeledUnit]:
    """The units of `toy_units` one after the other: with all of their examples they take hundreds of megabytes."""
    network = _network(toy.network)
    d, w, codes, h = network.directions, network.weights, network.codes, network.read
    other = other_units(toy.n_units, toy.seed)
    rng = np.random.default_rng(toy.seed)
    for index in range(toy.n_units):
        active = network.activations[:, index]
        fires = np.flatnonzero(active > TOY_SHARE * active.max())
        rows = fires if toy.balance is not None else np.sort(rng.permutation(fires)[: toy.n_examples])
        if not len(rows):
            continue
        labels, ambiguous = _labels(network, rows, w[index])
        if toy.balance is not None:
            of = balanced_behaviors(labels, ambiguous, toy.n_examples, toy.balance, MOST_BEHAVIORS, FEWEST_EXAMPLES)
            if not len(of):
                continue
            drawn = drawn_by_share(labels, ambiguous, of, toy.n_examples, toy.balance, rng)
            rows, labels, ambiguous = rows[drawn], labels[drawn], ambiguous[drawn]
        unit = LabeledUnit(
            unit=Unit(h[rows], w[index], network.background, Features(codes[rows], d)),
            other_weights=w[other[index]],
            labels=labels,
            ambiguous=ambiguous,
            name=f"{toy.name} unit {index}",
            group=toy.group,
            task="toy",
            difficulty=toy.difficulty,
        )
        some = of_behaviors(labels, ambiguous)
        if (some & ~ambiguous).sum() >= FEWEST_EXAMPLES and len(np.unique(labels[some])) > 1:
            yield unit.take(some)


def _labels(
    network: _Network, rows: Int[np.ndarray, " k"], w: Float[np.ndarray, " d"]
) -> tuple[Int[np.ndarray, " k"], Bool[np.ndarray, " k"]]:
    """The feature that contributes most to a unit at some inputs, and where another one, or the noise, is near."""
    parts = network.codes[rows] * (network.directions @ w)
    if network.noise is not None:
        parts = np.column_stack([parts, network.noise[rows] @ w])
    labels, ambiguous = dominant_terms(parts)
    return labels, ambiguous | (labels == len(network.directions))  # where noise pushes most there is no behavior


class _Network(NamedTuple):
    """A trained toy, and what it makes of inputs."""

    directions: Float[np.ndarray, "f d"]
    weights: Float[np.ndarray, "m d"]
    codes: Float[np.ndarray, "n f"]
    """The features of each input."""
    read: Float[np.ndarray, "n d"]
    noise: Float[np.ndarray, "n d"] | None
    """What of that is noise; None if nothing."""
    activations: Float[np.ndarray, "n m"]
    background: Background


@lru_cache(maxsize=1)  # its units are asked for again, with all examples, for those of one behavior
def _network(toy: Toy) -> _Network:
    # not the seed itself: a contestant that draws a dictionary with it would draw the true directions
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence([TOYS, toy.seed]).generate_state(1)[0]))
    directions = _directions(toy, generator)
    weights, bias = _trained(toy, directions, generator)
    x = _inputs(toy, INPUTS, generator)
    read = x @ directions
    noise = None
    if toy.noise:  # the last draw, so that the network and its inputs are those of the toy without
        noise = (
            toy.noise * (read - read.mean(dim=0)).square().mean().sqrt() * torch.randn(read.shape, generator=generator)
        )
        read = read + noise
    return _Network(
        directions=locked(directions.numpy()),
        weights=locked(weights.numpy()),
        codes=locked(x.numpy()),
        read=locked(read.numpy()),
        noise=None if noise is None else locked(noise.numpy()),
        activations=locked(torch.relu(read @ weights.T + bias).numpy()),
        background=Background(read[:TOY_BACKGROUND].numpy()),
    )


def _directions(toy: Toy, generator: torch.Generator) -> Float[Tensor, "f d"]:
    own = torch.randn(toy.n_features, toy.width, generator=generator)
    family = torch.randn(-(-toy.n_features // FAMILY), toy.width, generator=generator).repeat_interleave(FAMILY, dim=0)
    mixed = (1 - toy.overlap) ** 0.5 * own + toy.overlap**0.5 * family[: toy.n_features]
    directions: Float[Tensor, "f d"] = mixed / mixed.norm(dim=1, keepdim=True)
    return directions


def _inputs(toy: Toy, n: int, generator: torch.Generator) -> Float[Tensor, "n f"]:
    values = torch.rand(n, toy.n_features, generator=generator)
    return values * (torch.rand(n, toy.n_features, generator=generator) < toy.active / toy.n_features)


def _trained(
    toy: Toy, directions: Float[Tensor, "f d"], generator: torch.Generator
) -> tuple[Float[Tensor, "m d"], Float[Tensor, " m"]]:
    weights = torch.randn(toy.n_units, toy.width, generator=generator) / toy.width**0.5
    output = torch.randn(toy.n_units, toy.n_features, generator=generator) / toy.n_units**0.5
    bias, constant = torch.zeros(toy.n_units), torch.zeros(toy.n_features)
    parameters = [each.requires_grad_() for each in (weights, output, bias, constant)]
    optimizer = torch.optim.Adam(parameters, lr=3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=toy.steps)
    for _ in range(toy.steps):
        x = _inputs(toy, 256, generator)
        given_back = torch.relu(x @ directions @ weights.T + bias) @ output + constant
        loss = (given_back - x).square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return weights.detach(), bias.detach()
