"""The explorer of a dictionary at stages of its training."""
