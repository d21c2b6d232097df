"""The explorer of the MNIST models."""
