"""The atlas explorer: a whole model at a glance, every unit up close, features found by word and by likeness."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import anywidget
import numpy as np
import traitlets

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.explorers.atlas.shard_files import site_folder
from nbkit.explorers.atlas.shards import AtlasShards
from nbkit.explorers.shared.bundle import module_text, style_text
from nbkit.explorers.shared.page_json import page_json
from nbkit.explorers.shared.threshold import Threshold
from nbkit.models import LanguageModel
from nbkit.models.neurons import units_of
from nbkit.models.units import ModelUnits

NOTHING = -1


class AtlasExplorer(anywidget.AnyWidget):
    """Every neuron of an atlas. On a page its data come from files (`shard_files.py`), in JupyterLab from
    here, piece by piece when the reader asks for them.

    `layer` and `neuron` say which neuron is open and `threshold` where its tree is cut. They can be read, set and
    linked from Python, and follow the reader in JupyterLab.
    """

    _esm = module_text("atlas/atlas.js")
    _css = style_text(
        "shared/explorer.css",
        "shared/panel.css",
        "shared/cluster-view.css",
        "atlas/atlas.css",
        "atlas/finding.css",
        "atlas/neuron.css",
        "atlas/beside.css",
    )

    live = traitlets.Bool(True).tag(sync=True, kernel=True)
    """Whether data come from here; a page without a kernel is not told of it, and has files."""
    site = traitlets.Unicode().tag(sync=True)
    """Where a book keeps these files, from its first page."""
    layer = traitlets.Int(NOTHING).tag(sync=True)
    neuron = traitlets.Int(NOTHING).tag(sync=True)
    """The neuron that is open; -1: none yet."""
    threshold = Threshold(0.5, allow_none=True).tag(sync=True)
    """The distance at which the tree is cut; None until a neuron is open, where layers have cuts of their own."""
    has_model = traitlets.Bool(False).tag(sync=True, kernel=True)
    """Whether the model is at hand: token importance of any example can be computed, and a reader's own text read."""

    def __init__(
        self,
        atlas: Atlas,
        model: LanguageModel | ModelUnits | None = None,
        layer: int | None = None,
        neuron: int | None = None,
        threshold: float | None = None,
    ) -> None:
        """Show `atlas`.

        Args:
            atlas: what is shown.
            model: the atlas's model, or its units of another kind, for the token importance of examples of which it is
                not kept, and for a text of the reader's own.
            layer, neuron: the neuron to begin with; None for the first of `showcase.featured`.
            threshold: distance in (0, 1] at which trees are cut; None for its own (see `Atlas.cut`).

        Raises:
            NbkitError: the atlas doesn't hold the neuron or was made with another model, or the threshold is no
                distance.
        """
        if (layer is None) != (neuron is None):
            raise NbkitError("A neuron has a layer and a number: give both `layer` and `neuron`, or neither.")
        if model is not None:
            checked_units(model, atlas)
        if layer is not None and neuron is not None:
            atlas.neuron(layer, neuron)  # refuses
        self._atlas, self._model, self._shards = atlas, model, AtlasShards(atlas)
        super().__init__(
            site=f"{quote(site_folder(atlas))}/",
            layer=NOTHING if layer is None else layer,
            neuron=NOTHING if neuron is None else neuron,
            threshold=_first_cut(atlas, layer) if threshold is None else threshold,
            has_model=model is not None,
        )
        self.on_msg(self._answer)

    @traitlets.validate("layer", "neuron")
    def _check_neuron(self, proposal: dict[str, Any]) -> int:
        value = int(proposal["value"])
        if value == NOTHING:
            return value
        is_layer = proposal["trait"].name == "layer"
        largest = max(self._atlas.manifest.sites, key=lambda site: site.n_units).number
        self._atlas.neuron(value if is_layer else largest, 0 if is_layer else value)  # refuses
        return value

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        """Answer a message of the browser; what goes wrong is told there as a sentence."""
        if not isinstance(content, dict) or content.get("kind") not in ("shard", "importance", "text"):
            return
        ask = {"shard": self._shard, "importance": self._importance, "text": self._text}[content["kind"]]
        try:
            answer, buffers = ask(content)
        except NbkitError as error:
            answer, buffers = {"error": str(error).removesuffix(".")}, []
        except Exception as error:  # whatever it is, a browser that waits must hear of it
            answer, buffers = {"error": f"the kernel failed with {type(error).__name__}: {error}"}, []
        self.send({**content, **answer}, buffers)

    def _shard(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        layout, packed = self._shards.shard(str(question.get("name")))
        return {"layout": layout}, [packed]

    def _importance(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        from nbkit.features.importance import token_importance

        model, layer, index = self._asked(question)
        examples = [int(example) for example in question["examples"]]
        values = token_importance(model, self._atlas, layer, index, examples)
        return {"values": [_rounded(of_example) for of_example in values]}, []

    def _text(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        from nbkit.features.own_text import read_own_text

        model, layer, index = self._asked(question)
        read = read_own_text(model, self._atlas, layer, index, str(question["text"]))
        return {
            "tokens": page_json(read.tokens),  # escaped: a part of a character is nothing that a message may hold
            "activations": [float(f"{value:.5g}") for value in read.activations],
            "peak": read.peak,
            "share": None if np.isnan(read.of_maximum) else read.of_maximum,
            "distances": None if read.distances is None else _rounded(read.distances, 5),
            "quadrant": read.quadrant,
        }, []

    def _asked(self, question: dict[str, Any]) -> tuple[LanguageModel | ModelUnits, int, int]:
        """The model, and the layer and number of the neuron that a question of the browser is about."""
        if self._model is None:
            raise NbkitError("no model is at hand: give `model` to nbkit.explore")
        return self._model, *self._atlas.at(int(question["row"]))


def _rounded(values: Iterable[float], digits: int = 3) -> list[float]:
    return [round(float(value), digits) for value in values]


def checked_units(model: object, atlas: Atlas) -> LanguageModel | ModelUnits:
    """The model or units, if an atlas was made with these very ones, in this number format.

    Raises:
        NbkitError: it was not.
    """
    manifest = atlas.manifest
    if manifest.inputs != "text":
        raise NbkitError(f"{atlas.path} is of {manifest.inputs}, which no language model reads: leave out `model`.")
    if not isinstance(model, LanguageModel | ModelUnits):
        raise NbkitError(
            "The model of an atlas is a language model, or latents of one: give what nbkit.load_model or "
            "nbkit.sae_latents returns."
        )
    units = units_of(model, manifest.weights)
    if units.model.fingerprint != manifest.model_sha256:
        raise NbkitError(
            f"{atlas.path} was made with another model than {units.model.name}: open the one that it was made with, "
            f"{manifest.model} in {manifest.dtype}."
        )
    if lacking := [site for site in manifest.sites if site not in units.sites]:
        raise NbkitError(
            f"{atlas.path} is of other units: {lacking[0].title} is not among those that were given. For latents give "
            "nbkit.sae_latents(model, …) of the same autoencoders."
        )
    return model


def _first_cut(atlas: Atlas, layer: int | None) -> float | None:
    """Where the tree of the first neuron is cut; None if that is not known before one is open."""
    cuts = {atlas.cut(each) for each in (atlas.layers if layer is None else [layer])}
    return cuts.pop() if len(cuts) == 1 else None
