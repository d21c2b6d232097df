"""What several pages need: provenance, and words filled with what a run has found."""

from nbkit.studies.shared.provenance import mnist_provenance, provenance
from nbkit.studies.shared.words import each, listed, when

__all__ = ["each", "listed", "mnist_provenance", "provenance", "when"]
