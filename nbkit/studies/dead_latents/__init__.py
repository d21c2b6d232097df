"""Why the neuron-embedding loss saves latents from dying."""

from nbkit.studies.dead_latents.experiment import dead_latents
from nbkit.studies.dead_latents.explanations import carriers, chain_holds, evidence, explained
from nbkit.studies.dead_latents.figures import dead_by_variant, dead_over_training
from nbkit.studies.dead_latents.findings import best_remedy, dead_table, fates, saving

__all__ = [
    "best_remedy",
    "carriers",
    "chain_holds",
    "dead_by_variant",
    "dead_latents",
    "dead_over_training",
    "dead_table",
    "evidence",
    "explained",
    "fates",
    "saving",
]
