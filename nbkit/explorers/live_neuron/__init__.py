"""One neuron that falls apart into its behaviors while one looks."""
