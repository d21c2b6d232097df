"""Figure 5: single latents, and what makes their distances small."""

from nbkit.studies.latent_up_close.broad_latent import broad_single_cluster
from nbkit.studies.latent_up_close.findings import (
    broad_latents,
    chosen_latents,
    logit_movers,
    median_changes,
    median_latents,
)
from nbkit.studies.latent_up_close.inputs_read import inputs_of_latents

__all__ = [
    "broad_latents",
    "broad_single_cluster",
    "chosen_latents",
    "inputs_of_latents",
    "logit_movers",
    "median_changes",
    "median_latents",
]
