"""Sparse autoencoders: the neuron-embedding loss, training, and what an autoencoder is worth."""
