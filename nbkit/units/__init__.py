"""Units beside a model's own neurons: the latents of sparse autoencoders and transcoders."""
