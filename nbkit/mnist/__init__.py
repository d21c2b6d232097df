"""The models on MNIST: images, the MLP, its hidden layer, and reports on autoencoders of it."""
