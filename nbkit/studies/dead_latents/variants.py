"""The ways of training that the page on dead latents compares, by the question that they answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from nbkit.sae.config import SaeConfig
from nbkit.studies.dead_latents.interventions import Intervention

STANDARD_SAE = SaeConfig()
NE = replace(STANDARD_SAE, ne=5e-3)
"""In the middle of the settings that come near the paper's row."""
OPPOSITE = replace(NE, ne_gradient="opposite")


@dataclass(frozen=True)
class Variant:
    """One way of training."""

    title: str
    config: SaeConfig = STANDARD_SAE
    what: Intervention = field(default_factory=Intervention)
    lengths_of: str | None = None
    """The variant whose lengths of encoder weights this one is held to."""
    counted: bool = False
    """Whether dead latents are counted while it trains, too."""


@dataclass(frozen=True)
class Question:
    """Variants that belong together."""

    title: str
    variants: dict[str, Variant]


AUXILIARY = 1 / 32
"""The published weight of the auxiliary loss."""

QUESTIONS = {
    "reference": Question(
        "without the loss and with it",
        {"standard": Variant("standard", counted=True), "ne": Variant("NE loss", NE, counted=True)},
    ),
    "latents": Question(
        "NE loss on some latents alone",
        {
            "ne_frequent": Variant("active on 1% of the inputs or more", NE, Intervention(ne_on="frequent")),
            "ne_rare": Variant("active on less than 1%", NE, Intervention(ne_on="rare")),
            "ne_silent": Variant("silent for 20 steps", NE, Intervention(ne_on="silent", silent_after=20)),
        },
    ),
    "sparsity": Question(
        "another sparsity",
        {
            "denser": Variant("standard, 0.3 × L1", replace(STANDARD_SAE, l1=0.3 * STANDARD_SAE.l1)),
            "ne_sparser": Variant("NE loss, 2 × L1", replace(NE, l1=2 * NE.l1)),
        },
    ),
    "lengths": Question(
        "lengths of the encoder weights held",
        {
            "lengthened": Variant(
                "standard, to those of the NE run", STANDARD_SAE, Intervention(lengths="given"), "ne"
            ),
            "ne_shortened": Variant("NE loss, to the standard run's", NE, Intervention(lengths="given"), "standard"),
            "fixed": Variant("standard, to those at step 200", STANDARD_SAE, Intervention(lengths="fixed")),
            "ne_fixed": Variant("NE loss, to those at step 200", NE, Intervention(lengths="fixed")),
        },
    ),
    "gradient": Question(
        "in place of the NE loss's gradient",
        {
            "shuffled": Variant("toward another latent's average", NE, Intervention(ne_gradient="shuffled")),
            "reversed": Variant("reversed", OPPOSITE),
            "level": Variant("its level part", NE, Intervention(ne_gradient="level")),
            "reversed_level": Variant("its level part, reversed", OPPOSITE, Intervention(ne_gradient="level")),
            "noise": Variant("noise of its length", NE, Intervention(ne_gradient="noise")),
            "denominator": Variant("in Adam's denominator alone", NE, Intervention(ne_gradient="denominator")),
        },
    ),
    "decay": Question(
        "weight decay",
        {
            "early_decay": Variant("standard, until step 200", STANDARD_SAE, Intervention(decay="early")),
            "active_decay": Variant("standard, of active latents alone", STANDARD_SAE, Intervention(decay="active")),
            "adamw": Variant("standard, AdamW", STANDARD_SAE, Intervention(decay="decoupled"), counted=True),
            "ne_adamw": Variant("NE loss, AdamW", NE, Intervention(decay="decoupled")),
        },
    ),
    "remedies": Question(
        "published remedies",
        {
            "resampled": Variant("resampling, 0.2 of the length", STANDARD_SAE, Intervention(resample_every=100)),
            "auxiliary": Variant("auxiliary loss", STANDARD_SAE, Intervention(auxiliary=AUXILIARY)),
            "adamw_resampled": Variant(
                "AdamW, resampling, 0.2", STANDARD_SAE, Intervention(decay="decoupled", resample_every=100)
            ),
            "adamw_resampled_long": Variant(
                "AdamW, resampling, full length",
                STANDARD_SAE,
                Intervention(decay="decoupled", resample_every=100, resampled_length=1.0),
            ),
            "adamw_auxiliary": Variant(
                "AdamW, auxiliary loss", STANDARD_SAE, Intervention(decay="decoupled", auxiliary=AUXILIARY)
            ),
        },
    ),
}
VARIANTS = {name: variant for question in QUESTIONS.values() for name, variant in question.variants.items()}
