"""Sparse autoencoders and transcoders that other codes have trained: a file for each format."""
