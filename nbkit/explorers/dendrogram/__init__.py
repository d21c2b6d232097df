"""The explorer of one neuron's tree."""
