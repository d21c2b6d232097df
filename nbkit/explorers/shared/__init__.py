"""What the explorers share: modules, packed arrays, a distance to cut at."""
