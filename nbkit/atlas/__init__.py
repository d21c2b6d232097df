"""The dataset examples of every neuron: config, scan, merge, and what they leave on disk."""
