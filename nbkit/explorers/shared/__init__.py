"""What the explorers share: modules, packed arrays, JSON, a distance to cut at."""
