"""What several pages need: the paper's numbers, provenance, and words filled with what a run has found."""

from nbkit.studies.shared import paper
from nbkit.studies.shared.behaviors import behaviors_told
from nbkit.studies.shared.estimate import signed
from nbkit.studies.shared.language_model_saes import with_latents
from nbkit.studies.shared.provenance import mnist_provenance, provenance
from nbkit.studies.shared.words import code, counted, each, listed, when

__all__ = [
    "behaviors_told",
    "code",
    "counted",
    "each",
    "listed",
    "mnist_provenance",
    "paper",
    "provenance",
    "signed",
    "when",
    "with_latents",
]
