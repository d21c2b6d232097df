"""What several pages need: the paper's numbers, provenance, kept tables, intervals as words."""

from nbkit.studies.shared.provenance import mnist_provenance, provenance

__all__ = ["mnist_provenance", "provenance"]
