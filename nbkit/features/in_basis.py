"""The neurons of a layer in the basis of an autoencoder's features: feature clusters that name what they are about.

Of a vector that the layer reads the autoencoder finds features, and a neuron's pre-activation is, up to a bias and what
the autoencoder leaves, the sum of their contributions (see `nbkit.method.feature_basis`). So a cluster of a neuron's
examples says which features carry it, and the features' own examples say what these are: a label without a language
model.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.features.key_tokens import InWords
from nbkit.features.neuron_in_basis import NAMED_COLUMNS, NeuronInBasis, with_words
from nbkit.method.checks import shown
from nbkit.models.site import Site
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.equations import normalized
from nbkit.sae.hooks import are_same_place

NAMED_CLUSTERS = "named-clusters-{layer}-{sha256}.parquet"
UNITS_AT_ONCE = 64
"""Vectors that the autoencoder reads at a time: some make a dense tensor of vectors x latents."""
READ = {"native": "blocks.{layer}.mlp.hook_in", "folded": "blocks.{layer}.ln2.hook_normalized"}
"""Where what the neurons of a layer read is, by how the atlas took their weights (see `AtlasConfig`)."""


def in_basis(atlas: Atlas, sae: SparseAutoencoder, latents: Atlas | None = None) -> FeatureBasis:
    """The neurons of a layer in the basis of the features of an autoencoder of what their MLP reads.

    ```python
    sae = nbkit.load_sae("my-sae", hook="blocks.12.mlp.hook_in")
    basis = nbkit.in_basis(nbkit.open_atlas("my-atlas"), sae)
    basis.neuron(521).named_clusters()
    ```

    Args:
        atlas: of a language model's neurons, of positive activations.
        sae: an autoencoder of what the MLP of one of the atlas's layers reads: its `hook` is `blocks.L.mlp.hook_in`, or
            `blocks.L.ln2.hook_normalized` where the atlas has folded weights (see `AtlasConfig`).
        latents: an atlas of the autoencoder's latents, for the features' own words; None if there is none, or if
            `atlas` is joined with it.

    Raises:
        NbkitError: the autoencoder doesn't say where it reads, reads at another place, or predicts another vector than
            it reads; `latents` is of another autoencoder; or the atlas looked for activations below zero.
    """
    for name, given in (("atlas", atlas), *([] if latents is None else [("latents", latents)])):
        if not isinstance(given, Atlas):
            raise NbkitError(f"{name} is of type {type(given).__name__}: give what nbkit.open_atlas returns")
    if not isinstance(sae, SparseAutoencoder):
        raise NbkitError(f"sae is of type {type(sae).__name__}: give what nbkit.load_sae or train_sae makes")
    if atlas.manifest.sign != "positive":
        raise NbkitError(f"{atlas.path} is of {atlas.manifest.sign} activations: give an atlas of positive ones")
    site = _site(atlas, sae)
    if sae.architecture.d_out is not None:
        raise NbkitError(
            f"the autoencoder at {shown(sae.hook)} predicts another vector than it reads, so its features are no parts "
            "of what the neurons read: give one that reconstructs its input"
        )
    if sae.d_in != site.width:
        raise NbkitError(
            f"the autoencoder reads vectors of {sae.d_in} numbers, and the neurons of {site.title} read {site.width}: "
            "it belongs to another model"
        )
    own = copy.deepcopy(sae).requires_grad_(False)  # what is kept under its sha256 is of these weights
    sha256 = own.sha256
    known = [
        InWords(holder, each)
        for holder in [atlas if latents is None else latents]
        for each in holder.manifest.sites
        if each.unit == "latent" and each.sha256 == sha256 and are_same_place(each.name, str(sae.hook))
    ]
    if latents is not None and not known:
        raise NbkitError(f"{latents.path} holds no latents of this autoencoder: build an atlas of nbkit.sae_latents")
    return FeatureBasis(atlas, site, own, sha256, known[0] if known else None)


def _site(atlas: Atlas, sae: SparseAutoencoder) -> Site:
    """The layer whose neurons read what an autoencoder does.

    Raises:
        NbkitError: there is none.
    """
    layers = [site for site in atlas.manifest.sites if site.name == Site.of_neurons(site.number, 0, 0, False, "").name]
    place = READ[atlas.manifest.weights]
    if not layers:
        raise NbkitError(f"{atlas.path} has no MLP neurons of a language model: give an atlas of some")
    read = list(dict.fromkeys(place.format(layer=site.number) for site in (layers[0], layers[-1])))
    if sae.hook is None:
        raise NbkitError(f"the autoencoder doesn't say where it reads: set its hook, such as {' or '.join(read)}")
    for site in layers:
        if are_same_place(sae.hook, place.format(layer=site.number)):
            return site
    raise NbkitError(
        f"the autoencoder reads {shown(sae.hook)}, and the neurons of this atlas, with {atlas.manifest.weights} "
        f"weights, read {' to '.join(read)}: give an autoencoder of such a place, or an atlas of its layer"
    )


@dataclass(frozen=True, eq=False)
class FeatureBasis:
    """The neurons of a layer in the basis of an autoencoder's features. Made by `nbkit.in_basis`."""

    atlas: Atlas
    """Atlas of the neurons."""
    site: Site
    """Layer of the neurons, as a site of the atlas."""
    sae: SparseAutoencoder
    """Autoencoder whose latents are the features."""
    sha256: str
    """sha256 of the autoencoder, in hexadecimal (see `SparseAutoencoder.sha256`)."""
    latents: InWords | None = None
    """The latents in words, if an atlas of them is at hand."""

    @cached_property
    def mean(self) -> Float[np.ndarray, " d"]:
        """The mean vector that the layer reads (see `Atlas.mean_read`)."""
        return self.atlas.mean_read(self.site.number)

    def neuron(self, index: int) -> NeuronInBasis:
        """The neuron `index` of the layer.

        Raises:
            NbkitError: if the layer has no such neuron.
        """
        neuron = self.atlas.neuron(self.site.number, index)
        features, codes = self.codes(neuron.pre_mlp)
        return NeuronInBasis(neuron, features, codes, self.directions(features), self.mean, self.latents)

    def codes(self, vectors: Float[np.ndarray, "n d"]) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, "n m"]]:
        """The features that some vectors hold, and how much of each: in units of the vectors, where the autoencoder
        normalizes them first.

        Args:
            vectors: (n, d) what neurons of the layer read.

        Returns:
            Numbers of the m latents that are active in any of them, ascending, and (n, m) their activations.
        """
        h, d_sae = torch.tensor(vectors, dtype=torch.float32), self.sae.d_sae
        parts = [self.sae.active(part) for part in h.split(UNITS_AT_ONCE)]
        entry = np.concatenate([each.cpu() + i * UNITS_AT_ONCE * d_sae for i, (each, _) in enumerate(parts)])
        value = np.concatenate([each.float().cpu() for _, each in parts])
        features, column = np.unique(entry % d_sae, return_inverse=True)
        codes = np.zeros((len(vectors), len(features)), dtype=np.float32)
        codes[entry // d_sae, column] = value
        return features, codes * normalized(h, self.sae.architecture.normalize_activations)[1].numpy()

    def directions(self, features: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m d"]:
        """What some features write: rows of the decoder."""
        rows: Float[np.ndarray, "m d"] = self.sae.w_dec[torch.from_numpy(features)].float().cpu().numpy()
        return rows

    def named_clusters(self, progress: bool = True) -> pd.DataFrame:
        """The feature clusters of all neurons of the layer, each with the features that name it.

        As `NeuronInBasis.named_clusters`, at a cut of 0.5. Made on first demand and kept in the atlas's folder, under
        a name with the layer and the autoencoder's sha256.

        Returns:
            One row a cluster, in the order of neurons and sizes. A neuron without clusters has one row all the same,
            of cluster -1 and size 0.

        Raises:
            NbkitError: the table can't be written.
        """
        name = NAMED_CLUSTERS.format(layer=self.site.number, sha256=self.sha256)
        return with_words(self.atlas.kept.table(name, lambda: self._name_all(progress)), self.latents)

    def _name_all(self, progress: bool) -> pd.DataFrame:
        rows: list[tuple[object, ...]] = []
        for index in tqdm(range(self.site.n_units), "named clusters", unit="neuron", disable=not progress):
            own = self.neuron(index)
            rows += own.rows(own.clusters()) if own.has_clusters else [own.no_row]
        return pd.DataFrame(rows, columns=list(NAMED_COLUMNS))
