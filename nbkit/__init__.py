"""Neuron embeddings: the feature clusters of a neuron, a score of its polysemanticity, and explorers for both.

After "Tackling Polysemanticity with Neuron Embeddings" (A. Foote, 2024).
"""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from nbkit.atlas.atlas import Atlas as Atlas
    from nbkit.atlas.atlas import open_atlas as open_atlas
    from nbkit.atlas.build import build_atlas as build_atlas
    from nbkit.atlas.build import scan_blocks as scan_blocks
    from nbkit.atlas.cached import atlas_for as atlas_for
    from nbkit.atlas.config import AtlasConfig as AtlasConfig
    from nbkit.atlas.joined import join_atlases as join_atlases
    from nbkit.atlas.neuron import Neuron as Neuron
    from nbkit.corpora import Contexts as Contexts
    from nbkit.corpora import load_contexts as load_contexts
    from nbkit.corpora import open_contexts as open_contexts
    from nbkit.errors import NbkitError as NbkitError
    from nbkit.explorers.explore import explore as explore
    from nbkit.explorers.site.site import write_site as write_site
    from nbkit.features.in_basis import FeatureBasis as FeatureBasis
    from nbkit.features.in_basis import in_basis as in_basis
    from nbkit.features.neuron_in_basis import NeuronInBasis as NeuronInBasis
    from nbkit.features.neuronpedia import NeuronpediaExport as NeuronpediaExport
    from nbkit.features.neuronpedia import export_neuronpedia as export_neuronpedia
    from nbkit.method.clusters import FeatureClusters as FeatureClusters
    from nbkit.method.clusters import chance_cut as chance_cut
    from nbkit.method.clusters import cosine_distances as cosine_distances
    from nbkit.method.clusters import feature_clusters as feature_clusters
    from nbkit.method.embeddings import neuron_embeddings as neuron_embeddings
    from nbkit.method.feature_basis import feature_embeddings as feature_embeddings
    from nbkit.method.metrics import Polysemanticity as Polysemanticity
    from nbkit.method.metrics import polysemanticity as polysemanticity
    from nbkit.method.truth.benchmark import benchmark as benchmark
    from nbkit.method.truth.leaderboard import leaderboard as leaderboard
    from nbkit.method.truth.recovery import Recovery as Recovery
    from nbkit.method.truth.unit import Background as Background
    from nbkit.method.truth.unit import LabeledUnit as LabeledUnit
    from nbkit.method.truth.unit import Unit as Unit
    from nbkit.models import LanguageModel as LanguageModel
    from nbkit.models import load_model as load_model
    from nbkit.models.activation_files import Activations as Activations
    from nbkit.models.activation_files import capture_activations as capture_activations
    from nbkit.parallel.cluster import on_cluster as on_cluster
    from nbkit.sae.autoencoder import SparseAutoencoder as SparseAutoencoder
    from nbkit.sae.config import SaeConfig as SaeConfig
    from nbkit.sae.evaluation import evaluate_sae as evaluate_sae
    from nbkit.sae.loading import load_sae as load_sae
    from nbkit.sae.loss import NeuronEmbeddingLoss as NeuronEmbeddingLoss
    from nbkit.sae.report import SaeReport as SaeReport
    from nbkit.sae.training import train_sae as train_sae
    from nbkit.units.arrays import atlas_from_arrays as atlas_from_arrays
    from nbkit.units.latents import SaeLatents as SaeLatents
    from nbkit.units.latents import sae_latents as sae_latents
    from nbkit.units.modules import atlas_from_module as atlas_from_module
    from nbkit.units.together import join_units as join_units

# Imported when first used: torch, transformers and pandas take seconds, and `nbkit --help` needs none of them.
_HOMES = {
    "Activations": "models.activation_files",
    "Atlas": "atlas.atlas",
    "AtlasConfig": "atlas.config",
    "Background": "method.truth.unit",
    "Contexts": "corpora",
    "FeatureBasis": "features.in_basis",
    "FeatureClusters": "method.clusters",
    "LabeledUnit": "method.truth.unit",
    "LanguageModel": "models",
    "NbkitError": "errors",
    "Neuron": "atlas.neuron",
    "NeuronEmbeddingLoss": "sae.loss",
    "NeuronInBasis": "features.neuron_in_basis",
    "NeuronpediaExport": "features.neuronpedia",
    "Polysemanticity": "method.metrics",
    "Recovery": "method.truth.recovery",
    "SaeConfig": "sae.config",
    "SaeLatents": "units.latents",
    "SaeReport": "sae.report",
    "SparseAutoencoder": "sae.autoencoder",
    "Unit": "method.truth.unit",
    "atlas_for": "atlas.cached",
    "atlas_from_arrays": "units.arrays",
    "atlas_from_module": "units.modules",
    "benchmark": "method.truth.benchmark",
    "build_atlas": "atlas.build",
    "capture_activations": "models.activation_files",
    "chance_cut": "method.clusters",
    "cosine_distances": "method.clusters",
    "evaluate_sae": "sae.evaluation",
    "explore": "explorers.explore",
    "export_neuronpedia": "features.neuronpedia",
    "feature_clusters": "method.clusters",
    "feature_embeddings": "method.feature_basis",
    "in_basis": "features.in_basis",
    "join_atlases": "atlas.joined",
    "join_units": "units.together",
    "leaderboard": "method.truth.leaderboard",
    "load_contexts": "corpora",
    "load_model": "models",
    "load_sae": "sae.loading",
    "neuron_embeddings": "method.embeddings",
    "on_cluster": "parallel.cluster",
    "open_atlas": "atlas.atlas",
    "open_contexts": "corpora",
    "polysemanticity": "method.metrics",
    "sae_latents": "units.latents",
    "scan_blocks": "atlas.build",
    "train_sae": "sae.training",
    "write_site": "explorers.site.site",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.metadata.version("nbkit")
    if name not in _HOMES:
        raise AttributeError(f"module 'nbkit' has no attribute {name!r}")
    return getattr(importlib.import_module(f"nbkit.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
