"""The explorer of a whole atlas."""
