"""The explorer of a sweep of autoencoders."""
