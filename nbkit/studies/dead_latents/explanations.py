"""What may save latents from dying: the explanations, and the experiment that tells how much each of them carries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from nbkit.studies.dead_latents.experiment import DeadLatents
from nbkit.studies.dead_latents.variants import STANDARD_SAE
from nbkit.studies.shared.estimate import Estimate
from nbkit.studies.shared.table import BookTable

Values = Float[np.ndarray, " n_seeds"]
Verdict = Literal["all", "most", "part", "little", "none", "open"]
CARRIED: dict[Verdict, str] = {
    "all": "all or nearly all",
    "most": "most",
    "part": "a part",
    "little": "less than half",
    "none": "none or next to none",
    "open": "an undecided part",
}
"""What an explanation can carry of the saving, as the pages say it; see `carried`."""
WEIGHT_DECAY = "Protection from weight decay"
"""The explanation that the start page tells."""
MUCH: tuple[Verdict, ...] = ("all", "most")
LITTLE: tuple[Verdict, ...] = ("none", "little")


@dataclass(frozen=True)
class Explanation:
    """What may save the latents, and the experiment that shows how much of the saving it carries."""

    name: str
    experiment: str
    """What its share is measured by, in words."""
    question: str
    """The variants that it needs."""
    share: Callable[[DeadLatents], Values]
    """The share of the saving that it carries."""
    in_chain: tuple[Verdict, ...] = tuple(CARRIED)
    """The verdicts that the chain of causes needs."""


@dataclass(frozen=True)
class Explained:
    """An explanation with what was found."""

    name: str
    experiment: str
    asked: bool
    """Whether its variants were trained, and there is a saving to explain."""
    share: Estimate
    """Of the saving, in percent."""
    in_chain: tuple[Verdict, ...]

    @property
    def verdict(self) -> Verdict:
        """How much of the saving it carries."""
        return carried(self.share)

    @property
    def carries(self) -> str:
        """The verdict in words."""
        return CARRIED[self.verdict]

    @property
    def is_main(self) -> bool:
        """Whether it carries most of the saving or all."""
        return self.asked and self.verdict in MUCH


@dataclass(frozen=True)
class Evidence:
    """What the experiments show besides the variants' own figures."""

    busy: float
    """Latents that at least 1% of the inputs activate in the standard run, in percent."""
    at_ne_l0: Estimate
    """Dead in a standard run of the L0 of the NE run, in percent; not known where none is near."""
    shortness: Estimate
    """At `ne_start`, the length of the encoder weights of the latents that die, by that of the others."""
    saved_with_adamw: Estimate
    """What the NE loss saves with AdamW, in points."""
    sign_is_of_activations: bool
    """Whether the reversed gradient fails only by its part along the mean input: without it, either sign saves most."""


def carried(share: Estimate) -> Verdict:
    """How much of the saving an explanation carries, by the 95% interval of its share in percent.

    `all` if it lies above 75, `most` above 50, `none` below 10, `little` below 50; else `part` if it lies above 0, and
    `open` if it reaches 0.
    """
    if share.low > 50:
        return "all" if share.low > 75 else "most"
    if share.high < 50:
        return "none" if share.high < 10 else "little"
    return "part" if share.low > 0 else "open"


def decay_explained(found: DeadLatents) -> Explained:
    """How much of the saving protection from weight decay explains."""
    [decay] = (each for each in explained(found) if each.name == WEIGHT_DECAY)
    return decay


def explained(found: DeadLatents) -> tuple[Explained, ...]:
    """The explanations with what was found, in the order of `EXPLANATIONS`."""
    there = found.questions if found.saves else {}
    return tuple(
        Explained(e.name, e.experiment, e.question in there, Estimate.over_seeds(100 * e.share(found)), e.in_chain)
        for e in EXPLANATIONS
    )


def main_explanations(explanations: Sequence[Explained]) -> tuple[Explained, ...]:
    """Those that carry most of the saving or all, the most first."""
    return tuple(sorted((e for e in explanations if e.is_main), key=lambda e: -e.share.value))


def explanations_table(explanations: Sequence[Explained]) -> BookTable:
    """The explanations that were asked for: the experiment, and how much of the saving it carries, the most first, what
    is not known last."""
    asked = sorted((e for e in explanations if e.asked), key=lambda e: -np.nan_to_num(e.share.value, nan=-np.inf))
    rows = {
        e.name: {"experiment": e.experiment, "of the saving / %": e.share, "so it carries": e.carries} for e in asked
    }
    return BookTable(
        "explanations", pd.DataFrame.from_dict(rows, orient="index", dtype=object), {"of the saving / %": 0}
    )


def chain_holds(explanations: Sequence[Explained]) -> bool:
    """Whether the verdicts make one chain of causes, from weight decay to the lengths of the encoder weights."""
    return all(e.asked and e.verdict in e.in_chain for e in explanations)


def evidence(found: DeadLatents) -> Evidence:
    """What the experiments show besides the variants' own figures."""
    start = found.course[(found.course["variant"] == "standard") & (found.course["step"] == STANDARD_SAE.ne_start)]
    level = {carried(found.saving(name)) for name in ("level", "reversed_level")}
    regained = Estimate.over_seeds(found.saved("reversed_level") - found.saved("reversed"))
    return Evidence(
        busy=100 - found.mean("standard", "rare"),
        at_ne_l0=Estimate.over_seeds(_at_ne_l0(found)).within(0, 100),
        shortness=Estimate.over_seeds((start["length_doomed"] / start["length_spared"]).to_numpy()),
        saved_with_adamw=Estimate.over_seeds(found.values("adamw") - found.values("ne_adamw")),
        sign_is_of_activations=level <= set(MUCH) and regained.sign > 0,
    )


def _at_ne_l0(found: DeadLatents) -> Values:
    """The dead share of a standard autoencoder of the L0 of the NE run, by seed; NaN where none is near."""
    return found.at_sparsity(["standard", "denser"], found.values("ne", "l0"))


def _of_equal_l0(found: DeadLatents) -> Values:
    standard = found.values("standard")
    share: Values = (standard - _at_ne_l0(found)) / (standard - found.values("ne"))
    return share


EXPLANATIONS = (
    Explanation(
        "Busy latents make room",
        "the loss on latents that at least 1% of the inputs activate",
        "latents",
        lambda found: found.saved("ne_frequent"),
        LITTLE,
    ),
    Explanation(
        "The gradient that rare latents get",
        "the loss on the other latents alone",
        "latents",
        lambda found: found.saved("ne_rare"),
        MUCH,
    ),
    Explanation("Less sparsity", "no loss, at the L0 of the run with it", "sparsity", _of_equal_l0, LITTLE),
    Explanation(
        "Longer encoder weights",
        "lengths of the encoder weights exchanged between the runs",
        "lengths",
        DeadLatents.by_length,
        MUCH,
    ),
    Explanation(
        "The pull toward like inputs",
        "the loss toward another latent's average; what that loses",
        "gradient",
        lambda found: 1 - found.saved("shuffled"),
        LITTLE,
    ),
    Explanation(
        "Any push at right angles",
        "noise in place of the loss's gradient",
        "gradient",
        lambda found: found.saved("noise"),
        (*MUCH, "part"),
    ),
    Explanation(
        "Adam's denominator",
        "the loss in Adam's denominator alone",
        "gradient",
        lambda found: found.saved("denominator"),
    ),
    Explanation(
        WEIGHT_DECAY,
        "no loss, and AdamW in place of L2 decay",
        "decay",
        lambda found: found.saved("adamw"),
        MUCH,
    ),
)
