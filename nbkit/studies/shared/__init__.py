"""What several pages need: provenance, and words filled with what a run has found."""

from nbkit.studies.shared.provenance import mnist_provenance, provenance
from nbkit.studies.shared.words import counted, each, listed, when

__all__ = ["counted", "each", "listed", "mnist_provenance", "provenance", "when"]
