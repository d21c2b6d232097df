"""Ground truth: units whose examples' behaviors are known, and a benchmark of the spaces that should find them."""
