"""Neuron embeddings: the feature clusters of a neuron, a score of its polysemanticity, and explorers for both.

After "Tackling Polysemanticity with Neuron Embeddings" (A. Foote, 2024).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbkit.atlas import Atlas as Atlas
    from nbkit.atlas import open_atlas as open_atlas
    from nbkit.build import build_atlas as build_atlas
    from nbkit.clusters import FeatureClusters as FeatureClusters
    from nbkit.clusters import cosine_distances as cosine_distances
    from nbkit.clusters import feature_clusters as feature_clusters
    from nbkit.config import AtlasConfig as AtlasConfig
    from nbkit.corpora import Contexts as Contexts
    from nbkit.corpora import load_contexts as load_contexts
    from nbkit.embeddings import neuron_embeddings as neuron_embeddings
    from nbkit.errors import NbkitError as NbkitError
    from nbkit.exploring import explore as explore
    from nbkit.losses import NeuronEmbeddingLoss as NeuronEmbeddingLoss
    from nbkit.metrics import Polysemanticity as Polysemanticity
    from nbkit.metrics import polysemanticity as polysemanticity
    from nbkit.models import LanguageModel as LanguageModel
    from nbkit.models import load_model as load_model
    from nbkit.neuron import Neuron as Neuron
    from nbkit.report import SaeReport as SaeReport
    from nbkit.report import evaluate_sae as evaluate_sae
    from nbkit.request import atlas_for as atlas_for
    from nbkit.sae import SparseAutoencoder as SparseAutoencoder
    from nbkit.training import train_sae as train_sae
    from nbkit.training_config import SaeConfig as SaeConfig

# Imported when first used: torch, transformers and pandas take seconds, and `nbkit --help` needs none of them.
_HOMES = {
    "Atlas": "atlas",
    "AtlasConfig": "scan",
    "Contexts": "corpora",
    "FeatureClusters": "clusters",
    "LanguageModel": "models",
    "NbkitError": "errors",
    "Neuron": "neuron",
    "NeuronEmbeddingLoss": "losses",
    "Polysemanticity": "metrics",
    "SaeConfig": "training_config",
    "SaeReport": "report",
    "SparseAutoencoder": "sae",
    "atlas_for": "request",
    "build_atlas": "build",
    "cosine_distances": "clusters",
    "evaluate_sae": "report",
    "explore": "exploring",
    "feature_clusters": "clusters",
    "load_contexts": "corpora",
    "load_model": "models",
    "neuron_embeddings": "embeddings",
    "open_atlas": "atlas",
    "polysemanticity": "metrics",
    "train_sae": "training",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nbkit' has no attribute {name!r}")
    return getattr(importlib.import_module(f"nbkit.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
