"""What a neuron embedding is: the identity, and which embedding of a gated neuron is faithful."""

from nbkit.studies.neuron_embeddings.ablation import faithfulness
from nbkit.studies.neuron_embeddings.findings import faithfulness_table, identity

__all__ = ["faithfulness", "faithfulness_table", "identity"]
