"""Arrays only: embeddings, clusters, their metrics, controls and intervals."""
