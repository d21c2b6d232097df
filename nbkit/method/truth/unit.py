"""A unit whose examples' behaviors are known: what a contestant sees of it, and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array


def locked(values: np.ndarray) -> np.ndarray:
    """A view that can't be written to: what one contestant changed in place all others would get."""
    view = values.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False)
class Background:
    """Vectors of a layer that are not chosen for one unit: of a toy any inputs, of merged units the examples of all.
    Units of one layer share one object, so what a contestant learns from it can be kept by it."""

    vectors: Float[np.ndarray, "m d"]
    """The vectors, finite."""

    def __post_init__(self) -> None:
        vectors = checked_array(self.vectors, "The background")
        if vectors.ndim != 2 or 0 in vectors.shape or not np.isfinite(vectors).all():
            raise NbkitError(f"A background of shape {vectors.shape}: give finite vectors of shape (m, d).")
        object.__setattr__(self, "vectors", locked(vectors))

    @cached_property
    def mean(self) -> Float[np.ndarray, " d"]:
        """The mean vector."""
        mean: Float[np.ndarray, " d"] = self.vectors.mean(axis=0, dtype=np.float64)
        return mean


@dataclass(frozen=True, eq=False)
class Features:
    """A dictionary of features and how much of each an example holds."""

    codes: Float[np.ndarray, "n f"]
    directions: Float[np.ndarray, "f d"]
    offset: Float[np.ndarray, " d"] | None = None
    """What every vector holds besides, an autoencoder's bias; None for nothing."""

    @property
    def given_back(self) -> Float[np.ndarray, "n d"]:
        """What the features say was read, about what was: codes @ directions + offset."""
        given_back: Float[np.ndarray, "n d"] = self.codes @ self.directions
        return given_back if self.offset is None else given_back + self.offset


@dataclass(frozen=True, eq=False)
class Text:
    """The text of each example, of a unit that reads tokens; for contestants that look at more than one vector."""

    keys: Int[np.ndarray, " n"]
    """Ids of the key tokens, whose vectors the unit read."""
    snippets: tuple[str, ...]
    """The text around each key token."""
    window: Float[np.ndarray, "n t d"] | None = None
    """Vectors of the layer at the last t tokens of each example, the key token last; zeros before the text begins."""
    previous: Float[np.ndarray, "n d"] | None = None
    """What the layer before reads at the key tokens, minus its mean over the background's tokens; None of
    the first layer."""
    attended: Float[np.ndarray, "n d"] | None = None
    """The mean of the layer's vectors at the tokens of the text, weighted by the layer's own attention from the key
    token, mean over heads; of a causal model they end with the key token."""
    loss_gradient: Float[np.ndarray, "n d"] | None = None
    """The gradient of the text's loss (the sum of the next tokens' cross-entropies, in nats) with respect to what the
    layer writes at the key token: a unit moves the loss by its output weights times this, for each unit of its
    activation. Zeros at the last token of a text."""
    neurons_before: Features | None = field(default=None, kw_only=True)
    """The neurons of the layer before as features: their activations at the key tokens, and what the layer reads of
    what each of them writes, up to one positive number for each example; None of the first layer, and where what they
    write reaches the layer in another way."""

    def take(self, examples: Int[np.ndarray, " k"] | Bool[np.ndarray, " n"]) -> Text:
        """The text of some examples, by number or by a mask."""
        numbers = np.arange(len(self.keys))[examples]
        vectors = (None if each is None else each[numbers] for each in self.vectors.values())
        before = self.neurons_before
        neurons = before if before is None else replace(before, codes=before.codes[numbers])
        return Text(
            self.keys[numbers], tuple(self.snippets[number] for number in numbers), *vectors, neurons_before=neurons
        )

    @property
    def vectors(self) -> dict[str, np.ndarray | None]:
        """The fields that hold vectors, by name, in order; one or a window of them for each example."""
        return {name: getattr(self, name) for name in ("window", "previous", "attended", "loss_gradient")}


@dataclass(frozen=True, eq=False)
class Unit:
    """What a contestant sees of a unit: all but the truth."""

    read: Float[np.ndarray, "n d"]
    """The vectors that the unit received in its n examples."""
    weights: Float[np.ndarray, " d"]
    """The weights with which it reads them; in the control condition those of another unit."""
    background: Background
    """Vectors of the same layer, whatever the unit."""
    features: Features | None = None
    """The features that the vectors are made of, where they are known: on toys the true ones, so that a contestant that
    uses them shows what a perfect dictionary would give."""
    text: Text | None = None
    """The text of the examples, where they are of text."""


@dataclass(frozen=True, eq=False)
class LabeledUnit:
    """A unit and the behavior of each of its examples."""

    unit: Unit
    """What a contestant sees of it."""
    other_weights: Float[np.ndarray, " d"]
    """Weights of another unit of the layer, for the control."""
    labels: Int[np.ndarray, " n"]
    """The behavior of each example, any whole numbers."""
    ambiguous: Bool[np.ndarray, " n"]
    """Examples of two behaviors at once; they are counted and not scored."""
    name: str
    """Name of the unit, unlike that of any other of its task."""
    group: str
    """What made the unit (a layer of a model, a seed): intervals resample groups, whose units are not independent."""
    task: str
    """Name of the task: units of one are averaged."""
    difficulty: Mapping[str, float | str] = field(default_factory=dict)
    """What makes the task hard, by name: numbers, or words for kinds."""
    null: bool = False
    """Whether the labels are random halves of one behavior, which no space should tell apart."""

    def __post_init__(self) -> None:
        n, d = self.unit.read.shape if self.unit.read.ndim == 2 else (0, 0)
        shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
            "weights": (self.unit.weights.shape, (d,)),
            "other_weights": (self.other_weights.shape, (d,)),
            "labels": (self.labels.shape, (n,)),
            "ambiguous": (self.ambiguous.shape, (n,)),
            "background": (self.unit.background.vectors.shape[1:], (d,)),
        }
        if (known := self.unit.features) is not None:
            f = len(known.directions)
            shapes |= {"codes": (known.codes.shape, (n, f)), "directions": (known.directions.shape, (f, d))}
            if known.offset is not None:
                shapes["offset"] = (known.offset.shape, (d,))
        if (text := self.unit.text) is not None:
            shapes |= {"keys": (text.keys.shape, (n,)), "snippets": ((len(text.snippets),), (n,))}
            for what, vectors in text.vectors.items():
                if vectors is not None:
                    shapes[what] = (vectors.shape, (n, *vectors.shape[1:2], d) if what == "window" else (n, d))
            if (before := text.neurons_before) is not None:
                m = len(before.directions)
                shapes["activations"] = (before.codes.shape, (n, m))
                shapes["written directions"] = (before.directions.shape, (m, d))
        if not n:
            raise NbkitError(f"{self.name} has read vectors of shape {self.unit.read.shape}: give (n, d).")
        for what, (shape, wanted) in shapes.items():
            if shape != wanted:
                raise NbkitError(f"{self.name} has {what} of shape {shape}, but its read vectors need {wanted}.")

    @property
    def n_behaviors(self) -> int:
        """How many behaviors its examples have; 1 where the labels are random halves."""
        return 1 if self.null else len(np.unique(self.labels))

    def take(self, examples: Int[np.ndarray, " k"] | Bool[np.ndarray, " n"]) -> LabeledUnit:
        """The unit with some of its examples, by number or by a mask."""
        known = self.unit.features
        features = known if known is None else replace(known, codes=known.codes[examples])
        text = self.unit.text if self.unit.text is None else self.unit.text.take(examples)
        unit = replace(self.unit, read=self.unit.read[examples], features=features, text=text)
        return replace(self, unit=unit, labels=self.labels[examples], ambiguous=self.ambiguous[examples])
