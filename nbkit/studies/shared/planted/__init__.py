"""Units planted in a language model's layer: labeled tokens, what is read there, probes, and sums of probes."""
