"""What the neuron-embedding loss saves, when latents die, and what the published remedies do."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from nbkit.sae.config import SaeConfig
from nbkit.studies.dead_latents.experiment import DeadLatents
from nbkit.studies.dead_latents.variants import NE, QUESTIONS
from nbkit.studies.shared.estimate import Estimate
from nbkit.studies.shared.paper import STANDARD, WITH_LOSS, paper_row
from nbkit.studies.shared.quantity import Quantity
from nbkit.studies.shared.table import BookTable


@dataclass(frozen=True)
class Saving:
    """Dead latents in percent, without the NE loss and with it."""

    n_seeds: int
    config: SaeConfig
    """Of the autoencoder with the loss."""
    standard: Quantity[Estimate]
    ne: Quantity[Estimate]
    points: Estimate
    """The first minus the second."""
    factor: float
    """The first by the second."""
    paper_standard: float
    paper_ne: float

    @property
    def paper_factor(self) -> float:
        """The paper's first by its second."""
        return self.paper_standard / self.paper_ne


@dataclass(frozen=True)
class Fates:
    """When latents die and how many come back: percent of the latents, but for the two in points."""

    dead_at_start: Estimate
    """Dead when the NE loss begins."""
    back_standard: Estimate
    """Of these, those that come back without the loss."""
    back_ne: Estimate
    later_standard: Estimate
    """Of the others, those that die later without the loss."""
    later_ne: Estimate
    returned: Estimate
    """Points that the loss saves because latents come back."""
    spared: Estimate
    """Points that it saves because latents don't die."""
    decay_hands_over: bool
    """Whether fewer of the dead are ever above 0 with AdamW than with Adam's L2 decay."""


@dataclass(frozen=True)
class BestRemedy:
    """The published remedy that leaves the fewest latents dead, beside the NE loss."""

    trained: bool
    """Whether the remedies were."""
    name: str
    """Of its variant."""
    title: str
    fewer: Estimate
    """What the NE loss leaves dead minus what it leaves, in points."""
    beats_ne: bool
    """Whether it leaves fewer dead at a better reconstruction."""


def dead_table(found: DeadLatents) -> BookTable:
    """Every variant: dead latents and the share of the NE loss's saving, with 95% intervals over seeds; L0 and MSE."""
    rows = {}
    for question in found.questions.values():
        for name, variant in question.variants.items():
            rows[question.title, variant.title] = {
                "dead / %": found.share(name),
                "of the saving / %": "" if name in ("standard", "ne") else found.saving(name),
                "L0 / %": found.mean(name, "l0"),
                "MSE": found.mean(name, "mse"),
            }
    digits = {"dead / %": 1, "of the saving / %": 0, "L0 / %": 1}
    return BookTable("dead-latents", pd.DataFrame.from_dict(rows, orient="index", dtype=object), digits)


def saving(found: DeadLatents) -> Saving:
    """The paper's two figures and this build's."""
    standard, ne = found.values("standard"), found.values("ne")
    return Saving(
        n_seeds=len(standard),
        config=NE,
        standard=Quantity("dead without the loss, page on dead latents", found.share("standard")),
        ne=Quantity("dead with the loss, page on dead latents", found.share("ne")),
        points=Estimate.over_seeds(standard - ne),
        factor=float(standard.mean() / ne.mean()),
        paper_standard=paper_row(STANDARD)["dead"],
        paper_ne=paper_row(WITH_LOSS)["dead"],
    )


def fates(found: DeadLatents) -> Fates:
    """When latents die, how many come back, and how a loss on active latents can reach silent ones."""
    start = found.values("standard", "dead_at_start") / 100
    back, later = (
        {name: found.values(name, column) for name in ("standard", "ne")} for column in ("came_back", "died_later")
    )
    return Fates(
        found.share("standard", "dead_at_start"),
        found.share("standard", "came_back"),
        found.share("ne", "came_back"),
        found.share("standard", "died_later"),
        found.share("ne", "died_later"),
        returned=Estimate.over_seeds(start * (back["ne"] - back["standard"])),
        spared=Estimate.over_seeds((1 - start) * (later["standard"] - later["ne"])),
        decay_hands_over=Estimate.over_seeds(found.values("ne", "fired") - found.values("ne_adamw", "fired")).sign > 0,
    )


def best_remedy(found: DeadLatents) -> BestRemedy:
    """The published remedy that leaves the fewest latents dead, beside the NE loss."""
    variants = QUESTIONS["remedies"].variants
    best = min(variants, key=found.mean)
    fewer, error = (
        Estimate.over_seeds(found.values("ne", column) - found.values(best, column)) for column in ("dead", "mse")
    )
    beats = fewer.sign > 0 and error.sign > 0
    return BestRemedy("remedies" in found.questions, best, variants[best].title, fewer, beats)
