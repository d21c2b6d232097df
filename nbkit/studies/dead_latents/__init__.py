"""Why the neuron-embedding loss saves latents from dying."""

from nbkit.studies.dead_latents.experiment import dead_latents
from nbkit.studies.dead_latents.explanations import (
    chain_holds,
    decay_explained,
    evidence,
    explained,
    explanations_table,
    main_explanations,
)
from nbkit.studies.dead_latents.figures import dead_by_variant, dead_over_training
from nbkit.studies.dead_latents.findings import best_remedy, dead_table, fates, saving

__all__ = [
    "best_remedy",
    "chain_holds",
    "dead_by_variant",
    "dead_latents",
    "dead_over_training",
    "dead_table",
    "decay_explained",
    "evidence",
    "explained",
    "explanations_table",
    "fates",
    "main_explanations",
    "saving",
]
