"""An autoencoder evaluated for the paper's tables: without clusters, and with the author's figure for dead latents."""

from typing import Any

from nbkit.sae.evaluation import DEAD_BELOW, evaluate_sae
from nbkit.sae.report import SaeReport


def evaluated(*data: Any, **options: Any) -> SaeReport:
    """What `evaluate_sae` says of the arguments."""
    return evaluate_sae(*data, **{"threshold": None, "dead_below": DEAD_BELOW} | options)
