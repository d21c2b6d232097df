"""Why the neuron-embedding loss saves latents from dying."""

from nbkit.studies.dead_latents.experiment import dead_latents
from nbkit.studies.dead_latents.figures import dead_by_variant, dead_over_training
from nbkit.studies.dead_latents.findings import (
    dead_and_paper,
    dead_answer,
    dead_fates,
    dead_remedies,
    dead_story,
    dead_table,
)

__all__ = [
    "dead_and_paper",
    "dead_answer",
    "dead_by_variant",
    "dead_fates",
    "dead_latents",
    "dead_over_training",
    "dead_remedies",
    "dead_story",
    "dead_table",
]
