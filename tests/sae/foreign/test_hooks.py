"""Where the activations come from: what each format says, what it leaves open, and what a user says besides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from nbkit.errors import NbkitError
from nbkit.sae.loading import load_sae
from tests.examples.foreign_saes import D_IN, D_OUT, config_2, config_3, config_6, thresholds, weights, write_folder
from tests.sae.foreign import test_dictionary_learning as dictionary_learning
from tests.sae.foreign import test_gemma_scope as gemma_scope
from tests.sae.foreign import test_sparsify as sparsify

JUMPRELU = weights() | {"threshold": thresholds()}


def of_version_6(**metadata: object) -> dict[str, Any]:
    return config_6("standard", metadata={"sae_lens_version": "6.20.0", **metadata})


def hooks(path: Path, hook: str | None = None) -> tuple[str | None, str | None]:
    sae = load_sae(path, hook)
    return sae.hook, sae.hook_out


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (config_3(), "blocks.1.hook_resid_pre"),
        (config_6("standard"), "blocks.1.hook_resid_pre"),
        (of_version_6(hook_name="blocks.1.hook_resid_mid"), "blocks.1.hook_resid_mid"),
        (of_version_6(hook_name="blocks.1.attn.hook_q"), "blocks.1.attn.hook_q"),
        (of_version_6(hook_name="transformer.h.1", model_class_name="AutoModelForCausalLM"), "transformer.h.1"),
        ({"model_name": "gpt2", "hook_name": "blocks.2.hook_mlp_out", "sae": of_version_6()}, "blocks.2.hook_mlp_out"),
        (of_version_6(), None),
        (of_version_6(hook_name=""), None),
        # one head's part of the vectors
        (config_3(hook_name="blocks.1.attn.hook_q", hook_head_index=0), None),
        (of_version_6(hook_name="blocks.1.attn.hook_q", hook_head_index=3), None),
        (config_2(hook_point="blocks.1.mlp.hook_post", hook_point_head_index=3), None),
        # the Hugging Face network's name beside TransformerLens'
        (
            of_version_6(hook_name="blocks.4.hook_attn_out", hf_hook_name="model.layers.4.self_attn.o_proj.input"),
            "blocks.4.attn.hook_z",
        ),
    ],
)
def test_saelens(config: dict[str, Any], expected: str | None, tmp_path: Path) -> None:
    assert hooks(write_folder(tmp_path, config, weights())) == (expected, None)
    assert hooks(tmp_path / "sae_weights.safetensors", expected) == (expected, None)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"hook_name": "blocks.1.mlp.hook_in"}, ("blocks.1.mlp.hook_in", None)),
        ({"hook_name_out": "blocks.1.hook_mlp_out"}, (None, "blocks.1.hook_mlp_out")),
        (
            {"hook_name": "blocks.1.ln2.hook_normalized", "hook_name_out": "blocks.1.hook_mlp_out"},
            ("blocks.1.ln2.hook_normalized", "blocks.1.hook_mlp_out"),
        ),
        ({"hook_name": "blocks.1.ln2.hook_normalized", "hook_name_out": "x", "hook_head_index_out": 1}, None),
        (
            {
                "hook_name": "blocks.1.ln2.hook_normalized",
                "hf_hook_name": "model.layers.1.pre_feedforward_layernorm.output",
                "hook_name_out": "blocks.1.hook_mlp_out",
                "hf_hook_name_out": "model.layers.1.post_feedforward_layernorm.output",
            },
            ("blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out"),
        ),
    ],
)
def test_transcoders_of_saelens(
    fields: dict[str, Any], expected: tuple[str | None, str | None] | None, tmp_path: Path
) -> None:
    config = config_6("transcoder", d_out=D_OUT, metadata={"sae_lens_version": "6.20.0", **fields})
    assert hooks(write_folder(tmp_path, config, weights(D_OUT))) == (expected or (fields["hook_name"], None))


@pytest.mark.parametrize(
    "config",
    [
        config_2(),
        config_2(model_from_pretrained_kwargs={}),
        config_3(model_from_pretrained_kwargs={"center_writing_weights": True}),
        config_3(sae_lens_training_version="3.19.1", model_from_pretrained_kwargs=None),
        of_version_6(
            hook_name="blocks.1.hook_resid_pre",
            model_from_pretrained_kwargs={"fold_ln": True, "center_writing_weights": True},
        ),
    ],
)
def test_vectors_of_rewritten_weights_have_names_of_their_own(config: dict[str, Any], tmp_path: Path) -> None:
    hook = "blocks.1.hook_resid_pre:processed"
    assert hooks(write_folder(tmp_path, config, weights())) == (hook, None)
    assert hooks(tmp_path, hook) == (hook, None)
    for other in ("blocks.1.hook_resid_pre", "blocks.2.hook_resid_pre:processed"):
        with pytest.raises(NbkitError, match=f"says hook = '{hook}', and '{other}' was given: leave it out"):
            load_sae(tmp_path, other)


def test_where_nothing_tells_whether_weights_were_rewritten_the_user_does(tmp_path: Path) -> None:
    folder = write_folder(
        tmp_path, config_3(sae_lens_training_version=None, model_from_pretrained_kwargs=None), weights()
    )
    assert hooks(folder) == (None, None)
    for told in ("blocks.1.hook_resid_pre", "blocks.1.hook_resid_pre:processed"):
        assert hooks(folder, told) == (told, None)


@pytest.mark.parametrize(
    ("name", "told", "expected"),
    [
        ("hook_resid_post", "center_writing_weights", "hook_resid_post:processed"),
        ("hook_resid_mid", "center_writing_weights", "hook_resid_mid:processed"),
        ("hook_attn_out", "center_writing_weights", "hook_attn_out:processed"),
        ("hook_mlp_out", "center_writing_weights", "hook_mlp_out:processed"),
        ("hook_resid_post", "fold_ln", "hook_resid_post"),  # nothing is centered
        ("hook_mlp_out", "fold_value_biases", "hook_mlp_out"),
        ("hook_resid_post", "default_padding_side", "hook_resid_post"),
        ("attn.hook_z", "center_writing_weights", None),
        ("attn.hook_z", "fold_value_biases", None),
        ("mlp.hook_in", "fold_ln", None),
        ("mlp.hook_out", "center_writing_weights", None),
        ("mlp.hook_post", "center_writing_weights", "mlp.hook_post"),
    ],
)
def test_what_rewriting_does_to_each_name(name: str, told: str, expected: str | None, tmp_path: Path) -> None:
    hook, known = f"blocks.1.{name}", None if expected is None else f"blocks.1.{expected}"
    config = of_version_6(hook_name=hook, model_from_pretrained_kwargs={told: True})
    assert hooks(write_folder(tmp_path, config, weights())) == (known, None)
    if known is None:
        assert hooks(tmp_path, hook) == (hook, None), "the user may say so all the same"


@pytest.mark.parametrize(
    ("read", "predicted", "expected"),
    [
        ("hook_resid_mid", "hook_mlp_out", ("hook_resid_mid:processed", "hook_mlp_out:processed")),
        ("ln2.hook_normalized", "hook_mlp_out", ("ln2.hook_normalized", "hook_mlp_out:processed")),
        ("ln2.hook_normalized", "mlp.hook_out", ("ln2.hook_normalized", None)),
    ],
)
def test_a_transcoder_of_rewritten_weights(
    read: str, predicted: str, expected: tuple[str, str | None], tmp_path: Path
) -> None:
    metadata = {
        "hook_name": f"blocks.1.{read}",
        "hook_name_out": f"blocks.1.{predicted}",
        "model_from_pretrained_kwargs": {"center_writing_weights": True},
    }
    config = config_6("transcoder", d_out=D_OUT, metadata=metadata)
    found = hooks(write_folder(tmp_path, config, weights(D_OUT)))
    assert found == tuple(each and f"blocks.1.{each}" for each in expected)


@pytest.mark.parametrize("hook", ["blocks.1.mlp.hook_post", "blocks.1.ln2.hook_normalized"])
def test_vectors_that_rewritten_weights_leave_alone(hook: str, tmp_path: Path) -> None:
    assert hooks(write_folder(tmp_path, config_2(hook_point=hook), weights()))[0] == hook


def test_weights_that_were_told_to_stay(tmp_path: Path) -> None:
    for number, config in enumerate(
        (
            config_3(sae_lens_training_version=None, model_from_pretrained_kwargs={"center_writing_weights": False}),
            config_3(sae_lens_training_version="3.19.2", model_from_pretrained_kwargs=None),
            config_3(sae_lens_training_version="4.0.0rc1", model_from_pretrained_kwargs=None),
        )
    ):
        assert hooks(write_folder(tmp_path / str(number), config, weights()))[0] == "blocks.1.hook_resid_pre"


@pytest.mark.parametrize(
    ("config", "match"),
    [
        (config_3(hook_name=7), "hook_name is 7: give the name of a hook point"),
        (of_version_6(hook_name=["blocks.1.hook_resid_pre"]), "hook_name is .*: give the name of a hook point"),
        (config_3(hook_name="a\nb"), "hook_name is .*: give the name of a hook point"),
        (config_3(hook_name="x" * 300), "hook_name is 'xx.*: give the name of a hook point"),
        (config_3(hook_point="blocks.2.hook_resid_pre"), "hook_point = .*hook_name says 'blocks.1.hook_resid_pre'"),
        (config_6("standard", hook_name="blocks.2.hook_resid_pre"), "hook_name = .*hook_name says 'blocks.2"),
    ],
)
def test_a_name_that_is_none(config: dict[str, Any], match: str, tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match=match):
        load_sae(write_folder(tmp_path, config, weights()))


SPARSIFY = [
    ("layers.5", False, "layers.5", None),
    ("layers.5/seed0", False, "layers.5", None),
    ("h.3.mlp.act", False, "h.3.mlp.act", None),
    ("embed_tokens", False, "embed_tokens", None),
    ("my-sae", False, None, None),
    ("seed0", False, None, None),
    ("layers.5.mlp", True, "blocks.5.mlp.hook_in", "layers.5.mlp"),
    ("transformer.h.3.mlp", True, "blocks.3.mlp.hook_in", "transformer.h.3.mlp"),
    ("decoder.layers.5", True, "blocks.5.hook_resid_pre", "decoder.layers.5"),
    ("layers.5.self_attn", True, None, "layers.5.self_attn"),
    ("my-sae", True, None, None),
]


@pytest.mark.parametrize(("folder", "transcode", "hook", "hook_out"), SPARSIFY)
def test_sparsify(folder: str, transcode: bool, hook: str | None, hook_out: str | None, tmp_path: Path) -> None:
    path = sparsify.write(tmp_path / folder, sparsify.config(transcode=transcode), sparsify.stored(weights()))
    assert hooks(path) == (hook, hook_out)
    assert hooks(path / "sae.safetensors", hook) == (hook, hook_out)


def test_sparsify_of_a_description_that_says_it(tmp_path: Path) -> None:
    path = sparsify.write(tmp_path / "layers.5", sparsify.config(hookpoint="layers.6"), sparsify.stored(weights()))
    assert hooks(path) == ("layers.6", None)


@pytest.mark.parametrize("hook", ["layers.5", "model.layers.5", "gpt_neox.layers.5", "blocks.5.hook_resid_post"])
def test_one_place_has_several_names(hook: str, tmp_path: Path) -> None:
    path = sparsify.write(tmp_path / "layers.5", sparsify.config(), sparsify.stored(weights()))
    assert hooks(path, hook) == (hook, None)
    for other in ("layers.6", "layers.5.mlp", "blocks.5.hook_resid_pre", "vision_tower.layers.5"):
        with pytest.raises(NbkitError, match=f"says hook = 'layers.5', and '{other}' was given: leave it out"):
            load_sae(path, other)


@pytest.mark.parametrize(
    ("fields", "buffer", "expected"),
    [
        ({}, {"ctx_len": 128}, "blocks.3.hook_resid_post"),
        ({}, {"io": "out"}, "blocks.3.hook_resid_post"),
        ({"layer": None}, None, "blocks.3.hook_resid_post"),
        ({}, {"io": "in"}, None),
        ({}, {"io": "in_and_out"}, None),
        ({"layer": 4}, {"io": "out"}, None),
        ({"submodule_name": None}, {"io": "out"}, None),
        ({"submodule_name": "mlp_layer_3"}, {"io": "out"}, None),
        ({"submodule_name": "attention_layer_3"}, {"io": "out"}, None),
    ],
)
def test_dictionary_learning(
    fields: dict[str, Any], buffer: dict[str, Any] | None, expected: str | None, tmp_path: Path
) -> None:
    tensors = dictionary_learning.CASES["AutoEncoder"][0]
    dictionary_learning.write(tmp_path, "AutoEncoder", tensors, **fields)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"buffer": buffer}))
    assert hooks(tmp_path) == (expected, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("blocks.0.mlp.hook_post", "blocks.0.mlp.hook_post"),
        ("blocks.5.attn.hook_z", None),
        ("blocks.5.hook_resid_pre", "blocks.5.hook_resid_pre:processed"),
        (None, None),
    ],
)
def test_nanda(name: str | None, expected: str | None, tmp_path: Path) -> None:
    """His code has TransformerLens rewrite the weights."""
    torch.save(weights(), tmp_path / "25.pt")
    config = {"act_size": D_IN, "dict_size": weights()["W_enc"].shape[1], "act_name": name, "layer": 5}
    (tmp_path / "25_cfg.json").write_text(json.dumps(config))
    assert hooks(tmp_path / "25.pt") == (expected, None)
    told = expected or name or "layers.1"
    assert hooks(tmp_path / "25.pt", told) == (told, None)


CACHE = "models--google--gemma-scope-9b-it-res/snapshots/0a1b"


@pytest.mark.parametrize(
    ("folder", "hook", "hook_out"),
    [
        ("gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82", "blocks.12.hook_resid_post", None),
        (f"{CACHE}/layer_12/width_16k/average_l0_82", "blocks.12.hook_resid_post", None),
        ("gemma-scope-27b-pt-mlp/layer_0/width_16k", "blocks.0.hook_mlp_out", None),
        ("gemma-scope-2b-pt-att/layer_7", "blocks.7.attn.hook_z", None),
        (
            "gemma-scope-2b-pt-transcoders/layer_7/width_16k",
            "blocks.7.ln2.hook_normalized",
            "blocks.7.hook_mlp_out",
        ),
        ("gemma-scope-2b-pt-res/embedding/width_4k", None, None),
        ("gemma-scope-2b-pt-res", None, None),
        ("layer_3/gemma-scope-2b-pt-res/layer_12", "blocks.12.hook_resid_post", None),
        ("gemma-scope-2b-pt-res/layer_12/layer_13", None, None),
        ("gemma-scope-2b-pt-res/gemma-scope-2b-pt-mlp/layer_12", None, None),
        ("my-gemma-scope-2b-pt-res/layer_12", None, None),
        ("layer_12/width_16k", None, None),
    ],
)
def test_gemma_scope(folder: str, hook: str | None, hook_out: str | None, tmp_path: Path) -> None:
    path = gemma_scope.write_npz(tmp_path / folder, JUMPRELU)
    assert hooks(path) == hooks(path / "params.npz") == (hook, hook_out)
    if hook is not None:
        with pytest.raises(NbkitError, match=f"params.npz says hook = '{hook}', and 'layers.1' was given"):
            load_sae(path, "layers.1")


def test_gemma_scope_of_widths_that_its_folder_denies(tmp_path: Path) -> None:
    tensors = weights(D_OUT) | {"threshold": thresholds()}
    assert hooks(gemma_scope.write_npz(tmp_path / "gemma-scope-2b-pt-res" / "layer_12", tensors)) == (None, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.layers.5.output", "blocks.5.hook_resid_post"),
        ("model.layers.5.self_attn.o_proj.input", "blocks.5.attn.hook_z"),
        ("model.layers.5.post_feedforward_layernorm.output", "blocks.5.hook_mlp_out"),
        ("model.layers.5.self_attn.output", "model.layers.5.self_attn"),
        ("model.layers.5.self_attn.input", None),
        ("model.layers.5", None),
        ("output", None),
        (None, None),
    ],
)
def test_gemma_scope_2(name: str | None, expected: str | None, tmp_path: Path) -> None:
    path = gemma_scope.write_2(tmp_path, JUMPRELU, hf_hook_point_in=name, hf_hook_point_out=name)
    assert hooks(path) == (expected, None)


def test_transcoders_of_gemma_scope_2(tmp_path: Path) -> None:
    path = gemma_scope.write_2(
        tmp_path,
        JUMPRELU,
        type="transcoder",
        hf_hook_point_in="model.layers.5.pre_feedforward_layernorm.output",
        hf_hook_point_out="model.layers.5.post_feedforward_layernorm.output",
    )
    assert hooks(path) == ("blocks.5.mlp.hook_in", "blocks.5.hook_mlp_out")


def test_weights_alone_say_nothing(tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "sae.pt")
    assert hooks(tmp_path / "sae.pt") == (None, None)
    assert hooks(tmp_path / "sae.pt", "blocks.5.hook_mlp_out") == ("blocks.5.hook_mlp_out", None)
    for odd in (3, "", "x" * 300, "\x1b[31m"):
        with pytest.raises(NbkitError, match=r"hook is .*: give the name of a hook point"):
            load_sae(tmp_path / "sae.pt", odd)  # type: ignore[arg-type]
