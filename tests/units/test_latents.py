"""Latents as units: every architecture of autoencoders against dense tensors and a slow two-pass scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import nbkit
import nbkit.atlas.build
from nbkit.atlas.atlas import Atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.manifest import layer_file
from nbkit.atlas.snippets import TOKENS_AFTER, TOKENS_BEFORE
from nbkit.corpora import Contexts
from nbkit.errors import NbkitError
from nbkit.features.importance import token_importance
from nbkit.features.own_text import read_own_text
from nbkit.method.embeddings import neuron_embeddings
from nbkit.models import LanguageModel
from nbkit.models.logits import direct_unembedding
from nbkit.sae.architecture import Architecture
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.units.latents import SaeLatents, sae_latents
from tests.examples.stopped_writes import is_stopped, sums
from tests.examples.tiny_models import D_MLP, D_MODEL, random_contexts

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "relu": {},
    "topk": {"activation": "topk", "k": 4},
    "batch_topk": {"activation": "batch_topk", "k": 4},
    "jumprelu": {"activation": "jumprelu"},
    "gated": {"activation": "gated"},
    "groupmax": {"activation": "groupmax", "k": 5},
    "bias in the encoder alone": {"apply_b_dec_to_input": False},
    "norm": {"normalize_activations": "constant_norm_rescale"},
    "layer norm": {"normalize_activations": "layer_norm", "activation": "topk", "k": 3},
    "transcoder": {"d_out": 7, "apply_b_dec_to_input": False},
    "transcoder with a skip": {"d_out": 7, "apply_b_dec_to_input": False, "skip": True, "activation": "topk", "k": 6},
}
HOOKS = {"blocks.1.hook_resid_post": D_MODEL, "blocks.0.mlp.hook_in": D_MODEL, "blocks.2.mlp.hook_post": D_MLP}
CONTEXTS = random_contexts(40, 24)
CONFIG = AtlasConfig(batch_size=8, block_size=16, max_examples=6)


def made_up(d_in: int, d_sae: int = 30, seed: int = 0, **fields: Any) -> SparseAutoencoder:
    """An autoencoder with random weights of which about a third of the latents pass."""
    architecture = Architecture(d_in, d_sae, **fields)
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: torch.randn(shape, generator=generator) for name, shape in architecture.shapes.items()}
    tensors["b_enc"] -= 0.5
    tensors["threshold"] = tensors["threshold"].abs()
    return SparseAutoencoder.of(architecture, tensors)


def dense(model: LanguageModel, hook: str, sae: SparseAutoencoder, contexts: Contexts) -> tuple[Tensor, Tensor]:
    """The vectors at a hook point, caught by a hook of PyTorch's own, and all latents of them; everything stored."""
    point, caught = model.hook_point(hook), []

    def note(*given: Any) -> None:
        values = given[1] if point.reads else given[2]
        caught.append((values[0] if isinstance(values, tuple) else values).clone())

    register = point.module.register_forward_pre_hook if point.reads else point.module.register_forward_hook
    handle = register(note)
    with torch.inference_mode():
        model.network(input_ids=torch.from_numpy(contexts.tokens).long(), use_cache=False)
    handle.remove()
    [vectors] = caught
    with torch.no_grad():
        return vectors, sae.encode(vectors.flatten(0, 1)).view(*vectors.shape[:2], -1)


Kept = tuple[int, int, float, list[float]]


def two_passes(z: Tensor, special: np.ndarray, config: AtlasConfig) -> list[list[Kept]]:
    """Each latent's dataset examples, by their definition."""
    values, found = z.numpy(), []
    for latent in range(z.shape[2]):
        peaks = [(float("-inf"), 0) for _ in values]
        for context, position in np.ndindex(values.shape[:2]):
            if not special[position] and values[context, position, latent] > peaks[context][0]:
                peaks[context] = (values[context, position, latent], position)
        maximum = max(peak for peak, _ in peaks)
        examples: list[Kept] = []
        for context, (peak, position) in enumerate(peaks):
            if peak > 0 and peak >= np.float32(config.threshold) * maximum and len(examples) < config.max_examples:
                at = range(position - TOKENS_BEFORE, position + TOKENS_AFTER + 1)
                inside = [values[context, i, latent] if 0 <= i < values.shape[1] else 0.0 for i in at]
                examples.append((context, position, float(peak), inside))
        found.append(examples)
    return found


def assert_examples(atlas: Atlas, site: int, z: Tensor, vectors: Tensor, received: Callable[[Tensor], Tensor]) -> None:
    expected = two_passes(z, CONTEXTS.special, CONFIG)
    assert any(expected), "no latent has an example"
    for latent, examples in enumerate(expected):
        neuron = atlas.neuron(site, latent)
        assert list(zip(neuron.context, neuron.position, strict=True)) == [each[:2] for each in examples]
        if examples:
            np.testing.assert_allclose(neuron.peak, [each[2] for each in examples], rtol=1e-5)
            np.testing.assert_allclose(neuron.window, [each[3] for each in examples], rtol=1e-5, atol=1e-6)
            rows = received(vectors[neuron.context, neuron.position]).detach()
            np.testing.assert_allclose(neuron.pre_mlp, rows, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_active_latents_are_all_of_the_dense_ones_that_are_not_0(name: str, dtype: torch.dtype) -> None:
    sae = made_up(D_MODEL, **ARCHITECTURES[name]).to(dtype)
    with torch.no_grad():
        sae.w_enc[:, 1::2] = sae.w_enc[:, ::2]  # every latent twice, so that TopK and GroupMax meet ties
        sae.b_enc[1::2] = sae.b_enc[::2]
        h = torch.randn(50, D_MODEL, generator=torch.Generator().manual_seed(1))
        h[7] = torch.nan
        z = sae.encode(h).flatten()
        place, value = sae.active(h)
    assert torch.equal(place, (z != 0).nonzero()[:, 0]) and len(place)
    assert torch.equal(value.nan_to_num(-1), z[place].nan_to_num(-1)) and value.dtype == dtype


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_equals_two_slow_passes(
    name: str, family: str, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model = tiny_model(family)
    saes = {hook: made_up(width, 20 + 5 * i, i, **ARCHITECTURES[name]) for i, (hook, width) in enumerate(HOOKS.items())}
    units = sae_latents(model, saes)
    atlas = nbkit.build_atlas(units, CONTEXTS, tmp_path / "atlas", CONFIG, progress=False)
    assert [site.n_units for site in atlas.manifest.sites] == [20, 25, 30] and len(atlas.neurons) == 75
    for site, (hook, sae) in enumerate(saes.items()):
        vectors, z = dense(model, hook, sae, CONTEXTS)
        assert_examples(atlas, site, z, vectors, sae.received)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("reads", ["activations", "centered"])
def test_an_embedding_s_sum_and_the_bias_are_the_activation(
    name: str, reads: Any, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model, hook = tiny_model("llama"), "blocks.1.hook_resid_post"
    sae = made_up(D_MODEL, **ARCHITECTURES[name])
    if reads == "centered" and not sae.architecture.apply_b_dec_to_input:
        with pytest.raises(NbkitError, match="doesn't subtract b_dec from its input: leave reads at 'activations'"):
            sae_latents(model, sae, hook, reads)
        return
    atlas = nbkit.build_atlas(
        sae_latents(model, sae, hook, reads), CONTEXTS, tmp_path / "atlas", CONFIG, progress=False
    )
    n = 0
    for unit in atlas.iterate(0):
        for kind in ("input", "gradient"):
            np.testing.assert_allclose(
                unit.embeddings(kind).sum(1) + unit.weights.b_in, unit.peak, rtol=1e-4, atol=1e-4
            )
        np.testing.assert_allclose(unit.embeddings("input"), neuron_embeddings(unit.pre_mlp, unit.w_in))
        n += len(unit)
    assert n > 30
    if reads == "centered":
        others = nbkit.build_atlas(sae_latents(model, sae, hook), CONTEXTS, tmp_path / "other", CONFIG, progress=False)
        neuron = max(atlas.iterate(0), key=len)
        other = others.neuron(0, neuron.index)
        assert np.array_equal(neuron.peak, other.peak) and neuron.site.reads.endswith("minus b_dec")
        expected = other.pre_mlp.astype(np.float32) - sae.b_dec.detach().numpy()
        if sae.architecture.normalize_activations == "none":
            np.testing.assert_allclose(neuron.pre_mlp, expected, rtol=1e-5, atol=1e-5)


def test_of_equal_latents_top_k_keeps_no_more_than_k(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    """Ties: every latent has a twin, and k is odd."""
    model, hook, sae = tiny_model("llama"), "blocks.1.hook_resid_post", made_up(D_MODEL, 20, activation="topk", k=3)
    with torch.no_grad():
        for tensor in (sae.w_enc.T, sae.b_enc):
            tensor[10:] = tensor[:10]
    vectors, z = dense(model, hook, sae, CONTEXTS)
    assert int((z > 0).sum(2).max()) == 3
    assert int(((z[..., :10] > 0) != (z[..., 10:] > 0)).sum()) > 100, "no pair is torn apart: the test is empty"
    for folder in ("first", "second"):
        atlas = nbkit.build_atlas(sae_latents(model, sae, hook), CONTEXTS, tmp_path / folder, CONFIG, progress=False)
        assert_examples(atlas, 0, z, vectors, lambda rows: rows)
    assert sums(tmp_path / "first") == sums(tmp_path / "second")


def test_weights_and_effects_are_the_encoder_s_and_the_decoder_s(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model = tiny_model("llama")
    saes = {hook: made_up(width, 20) for hook, width in HOOKS.items()}
    atlas = nbkit.build_atlas(sae_latents(model, saes), CONTEXTS, tmp_path / "atlas", CONFIG, progress=False)
    unembedding = direct_unembedding(model)
    assert unembedding is not None
    stream, mlp_in, neurons = saes.values()
    out = model.network.get_submodule("model.layers.2.mlp.down_proj").weight
    written = {0: stream.w_dec.detach(), 2: neurons.w_dec.detach() @ out.detach().T}
    for site, rows in written.items():
        for unit in atlas.iterate(site):
            effects = unembedding @ rows[unit.index]
            assert unit.logit_effects is not None
            assert (
                unit.logit_effects.promoted_ids.tolist() == model.token_ids[effects.topk(10).indices.numpy()].tolist()
            )
            np.testing.assert_allclose(unit.logit_effects.promoted, effects.topk(10).values, rtol=1e-4)
    assert all(unit.logit_effects is None for unit in atlas.iterate(1)), "what an MLP reads goes through the MLP"
    np.testing.assert_array_equal(atlas.neuron(1, 3).w_in, mlp_in.w_enc[:, 3].detach())


def test_a_transcoder_s_latents_have_effects_where_it_says_what_it_predicts(
    tiny_model: Callable[[str], LanguageModel],
) -> None:
    model, sae = tiny_model("llama"), made_up(D_MODEL, 20, d_out=D_MODEL, apply_b_dec_to_input=False)
    assert sae_latents(model, sae, "blocks.1.mlp.hook_in").written(0) is None
    sae.hook_out = "blocks.1.hook_mlp_out"
    written = sae_latents(model, sae, "blocks.1.mlp.hook_in").written(0)
    assert written is not None and torch.equal(written, sae.w_dec.detach())


@pytest.fixture(scope="module")
def several(tiny_model: Callable[[str], LanguageModel]) -> SaeLatents:
    """Three sites of 50, 9 and 1 latents."""
    sizes = (50, 9, 1)
    return sae_latents(
        tiny_model("llama"),
        {
            hook: made_up(width, size, activation="topk", k=min(4, size))
            for size, (hook, width) in zip(sizes, HOOKS.items(), strict=True)
        },
    )


@pytest.mark.parametrize("number", range(1, 14))
def test_interrupted_anywhere_and_gone_on_the_bytes_are_the_same(
    number: int, several: SaeLatents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    nbkit.build_atlas(several, CONTEXTS, whole, CONFIG, progress=False)
    stopped = is_stopped(
        lambda: nbkit.build_atlas(several, CONTEXTS, tmp_path / "again", CONFIG, progress=False), number, monkeypatch
    )
    assert stopped == (number <= 11)
    nbkit.build_atlas(several, CONTEXTS, tmp_path / "again", CONFIG, progress=False)
    assert sums(tmp_path / "again") == sums(whole)


@pytest.mark.parametrize(("asked", "kind"), [("auto", "centered"), ("paper", "gradient")])
def test_neurons_and_latents_in_one_atlas(
    asked: Any, kind: str, several: SaeLatents, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    """Scanned together or joined: the same files. The paper's embeddings are gradients, which of latents are h * w."""
    model, config = tiny_model("llama"), replace(CONFIG, embedding=asked)
    both = nbkit.join_units(model, several)
    together = nbkit.build_atlas(both, CONTEXTS, tmp_path / "together", config, progress=False)
    parts = [
        nbkit.build_atlas(part, CONTEXTS, tmp_path / name, config, progress=False)
        for name, part in (("neurons", model), ("latents", several))
    ]
    joined = nbkit.join_atlases(parts, tmp_path / "joined")
    assert joined.manifest == together.manifest and joined.manifest.embedding == kind
    assert [site.label for site in joined.manifest.sites] == ["L0", "L1", "L2", "S3", "S4", "S5"]
    assert joined.manifest.unit == "unit" and joined.n_neurons == 3 * D_MLP + 60
    for number in range(6):
        name = layer_file(number)
        mine, theirs = load_file(joined.path / name), load_file(together.path / name)
        assert mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)
    for column in joined.neurons:
        np.testing.assert_allclose(joined.neurons[column], together.neurons[column], rtol=1e-5, atol=1e-6)
    assert joined.vocabulary.equals(together.vocabulary)
    again = sums(joined.path)
    assert nbkit.join_atlases(parts, tmp_path / "joined").path == joined.path and sums(joined.path) == again
    assert nbkit.explore(joined, both).has_model


def test_only_what_fits_is_joined(
    several: SaeLatents, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    atlas = nbkit.build_atlas(several, CONTEXTS, tmp_path / "one", CONFIG, progress=False)
    other = nbkit.build_atlas(several, random_contexts(20, 24), tmp_path / "other", CONFIG, progress=False)
    plain = nbkit.build_atlas(tiny_model("gpt2"), CONTEXTS, tmp_path / "plain", CONFIG, progress=False)
    for atlases, message in (
        ([atlas], "there are 1 atlases"),
        ([atlas, other], "atlases of another contexts_sha256, n_contexts"),
        ([atlas, plain], "atlases of another model, model_sha256"),
        ([atlas, atlas.with_embedding("paper")], r"different embeddings, centered and input: give one of them with"),
        (["one", "two"], "no list of atlases"),
    ):
        with pytest.raises(NbkitError, match=message):
            nbkit.join_atlases(atlases, tmp_path / "out")  # type: ignore[arg-type]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(NbkitError, match="was not made by this command"):
        nbkit.join_atlases([atlas, atlas], tmp_path / "full")
    kept = sums(other.path)
    with pytest.raises(NbkitError, match="holds an atlas of another sites, n_sites"):
        nbkit.join_atlases([other, other], other.path)
    assert sums(other.path) == kept, "an atlas was lost"
    with pytest.raises(NbkitError, match="units of two models"):
        nbkit.join_units(tiny_model("gpt2"), several)
    with pytest.raises(NbkitError, match="a source is of type str"):
        nbkit.join_units("gpt2")  # type: ignore[arg-type]


def test_what_latents_are_asked_equals_dense_latents(
    several: SaeLatents, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model = tiny_model("llama")
    atlas = nbkit.build_atlas(several, CONTEXTS, tmp_path / "atlas", CONFIG, progress=False)
    unit = max(atlas.iterate(1), key=len)
    hook, sae = list(HOOKS)[1], several.saes[1]
    # a text of the reader's own
    text = model.tokenizer.decode(CONTEXTS.tokens[3, 1:6].tolist())
    read = read_own_text(several, atlas, 1, unit.index, text)
    ids = [1, *model.tokenizer(text, add_special_tokens=False)["input_ids"]]
    _, z = dense(model, hook, sae, replace(CONTEXTS, tokens=np.array([ids])))
    np.testing.assert_allclose(read.activations, z[0, :, unit.index], rtol=1e-4, atol=1e-5)
    # token importance, one variant after the other
    [importance] = token_importance(several, atlas, 1, unit.index, [0])
    context, key = CONTEXTS.tokens[unit.context[0]], int(unit.position[0])
    lost = []
    for position in range(max(1, key - TOKENS_BEFORE), key + 1):
        changed = context.copy()
        changed[position] = nbkit.features.importance.mask_token(model)
        _, z = dense(model, hook, sae, replace(CONTEXTS, tokens=changed[None]))
        lost.append(1 - float(z[0, key, unit.index]) / float(unit.peak[0]))
    expected = np.clip(np.array(lost) / max(lost), 0, 1) if max(lost) > 0 else np.zeros(len(lost))
    np.testing.assert_allclose(importance[-len(lost) :], expected, atol=1e-3)


WRONG: list[tuple[Callable[[LanguageModel], Any], str]] = [
    (
        lambda m: sae_latents(m, made_up(7), "blocks.0.hook_resid_post"),
        "reads vectors of 7 numbers, and .*of 24",
    ),
    (lambda m: sae_latents(m, made_up(D_MODEL), "blocks.0.hook_resid_pots"), "the nearest is blocks.0.hook_resid_post"),
    (lambda m: sae_latents(m, made_up(D_MODEL)), "doesn't say where its activations come from: give hook"),
    (lambda m: sae_latents(m, []), "saes is empty"),
    (lambda m: sae_latents(m, {}), "saes is empty"),
    (lambda m: sae_latents(m, [made_up(D_MODEL)], "blocks.0.hook_resid_post"), "hook is for a single autoencoder"),
    (lambda m: sae_latents(m, 3, "blocks.0.hook_resid_post"), "an autoencoder is of type int"),  # type: ignore[arg-type]
    (lambda m: sae_latents("gpt2", made_up(D_MODEL)), "model is of type str"),  # type: ignore[arg-type]
    (lambda m: sae_latents(m, made_up(D_MODEL), "blocks.0.hook_resid_post", "h"), "reads is 'h'"),  # type: ignore[arg-type]
    (lambda m: sae_latents(m, "no-such-folder/sae", "blocks.0.hook_resid_post"), "no-such-folder"),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message[:30] for _, message in WRONG])
def test_what_does_not_fit_is_refused_in_a_sentence(
    call: Callable[[LanguageModel], Any], message: str, tiny_model: Callable[[str], LanguageModel]
) -> None:
    with pytest.raises(NbkitError, match=message):
        call(tiny_model("llama"))


def test_another_hook_than_the_autoencoder_s_own_is_refused(tiny_model: Callable[[str], LanguageModel]) -> None:
    sae = made_up(D_MODEL)
    sae.hook = "blocks.1.hook_resid_post"
    assert sae_latents(tiny_model("llama"), sae).sites[0].name == sae.hook
    with pytest.raises(NbkitError, match=r"was trained at blocks\.1\.hook_resid_post, and 'blocks.0"):
        sae_latents(tiny_model("llama"), sae, "blocks.0.hook_resid_post")


def test_what_an_autoencoder_is_called_doesn_t_make_it_another(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model, sae, hook = tiny_model("llama"), made_up(D_MODEL), "blocks.1.hook_resid_post"
    atlas = nbkit.build_atlas(sae_latents(model, sae, hook), CONTEXTS, tmp_path / "atlas", CONFIG, progress=False)
    sae.save(tmp_path / "moved")
    again = sae_latents(model, tmp_path / "moved", hook)
    assert again.sites[0].source == "moved" != atlas.manifest.sites[0].source
    assert nbkit.build_atlas(again, CONTEXTS, tmp_path / "atlas", CONFIG).path == atlas.path
    assert nbkit.explore(atlas, again).has_model


def test_an_atlas_of_latents_takes_its_own_latents_alone(
    several: SaeLatents, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model = tiny_model("llama")
    atlas = nbkit.build_atlas(several, CONTEXTS, tmp_path / "atlas", CONFIG, progress=False)
    others = sae_latents(model, {hook: made_up(width, 50, seed=9) for hook, width in HOOKS.items()})
    for units in (model, others):
        with pytest.raises(NbkitError, match=r"is of other units: S0 .* is not among those that were given"):
            nbkit.explore(atlas, units)
        with pytest.raises(NbkitError, match="has other layers, neurons or tokens"):
            token_importance(units, atlas, 0, 0, [0])
    with pytest.raises(NbkitError, match="weights='folded' is for the MLP neurons"):
        nbkit.build_atlas(several, CONTEXTS, tmp_path / "folded", AtlasConfig(weights="folded"))
    with pytest.raises(NbkitError, match="there is no site 3: the sites are 0 to 2"):
        nbkit.build_atlas(several, CONTEXTS, tmp_path / "site", AtlasConfig(layers=[3]))
    with pytest.raises(NbkitError, match=r"S1 \(blocks.0.mlp.hook_in\) has no latent 9: its latents are 0 to 8"):
        atlas.neuron(1, 9)
