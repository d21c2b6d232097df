"""Figure 5: single latents, and what makes their distances small."""

from nbkit.studies.latent_up_close.broad_latent import broad_single_cluster
from nbkit.studies.latent_up_close.findings import chosen_latents, logit_share, median_latents, what_shrinks
from nbkit.studies.latent_up_close.inputs_read import what_latents_read

__all__ = [
    "broad_single_cluster",
    "chosen_latents",
    "logit_share",
    "median_latents",
    "what_latents_read",
    "what_shrinks",
]
