"""Where the activations come from is kept beside the weights, in both formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
import torch

from nbkit.errors import NbkitError
from nbkit.sae.architecture import Architecture
from nbkit.sae.autoencoder import SAE_CONFIG, SparseAutoencoder
from nbkit.sae.loading import load_sae

Format = Literal["nbkit", "saelens"]
FORMATS: tuple[Format, Format] = ("nbkit", "saelens")
PLACE = "blocks.3.hook_resid_post"


def transcoder() -> SparseAutoencoder:
    architecture = Architecture(5, 12, d_out=4, apply_b_dec_to_input=False)
    return SparseAutoencoder.of(architecture, {name: torch.rand(shape) for name, shape in architecture.shapes.items()})


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("hook", [PLACE, f"{PLACE}:processed", "transformer.h.3", None])
def test_an_autoencoders(hook: str | None, format: Format, tmp_path: Path) -> None:  # noqa: A002
    sae = SparseAutoencoder(5, 12)
    assert (sae.hook, sae.hook_out) == (None, None)
    sae.hook = hook
    sae.save(tmp_path, format)
    assert (load_sae(tmp_path).hook, load_sae(tmp_path).hook_out) == (hook, None)
    if hook is not None:
        assert load_sae(tmp_path, hook).hook == hook
        with pytest.raises(NbkitError, match=rf"cfg\.json says hook = '{hook}', and 'h\.4' was given: leave it out"):
            load_sae(tmp_path, "h.4")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("hook", "hook_out"),
    [
        ("blocks.3.mlp.hook_in", "blocks.3.hook_mlp_out"),
        ("blocks.3.mlp.hook_in", None),
        (None, "blocks.3.hook_mlp_out"),
        (None, None),
        ("blocks.3.ln2.hook_normalized", "blocks.3.hook_mlp_out:processed"),
        ("blocks.3.hook_resid_mid:processed", "blocks.3.hook_mlp_out:processed"),
        (None, "blocks.3.hook_mlp_out:processed"),
    ],
)
def test_a_transcoders(hook: str | None, hook_out: str | None, format: Format, tmp_path: Path) -> None:  # noqa: A002
    sae = transcoder()
    sae.hook, sae.hook_out = hook, hook_out
    sae.save(tmp_path / "a", format)
    again = load_sae(tmp_path / "a")
    assert (again.hook, again.hook_out) == (hook, hook_out)
    again.save(tmp_path / "b", format)
    assert (tmp_path / "a" / SAE_CONFIG).read_bytes() == (tmp_path / "b" / SAE_CONFIG).read_bytes()


def test_what_saelens_reads(tmp_path: Path) -> None:
    sae = transcoder()
    sae.hook, sae.hook_out = "blocks.3.mlp.hook_in", "blocks.3.hook_mlp_out"
    sae.save(tmp_path, "saelens")
    metadata = json.loads((tmp_path / SAE_CONFIG).read_text())["metadata"]
    assert (metadata["hook_name"], metadata["hook_name_out"]) == (sae.hook, sae.hook_out)
    assert metadata["model_from_pretrained_kwargs"] == {}


def test_what_saelens_reads_of_processed_weights(tmp_path: Path) -> None:
    sae = SparseAutoencoder(5, 12)
    sae.hook = f"{PLACE}:processed"
    sae.save(tmp_path, "saelens")
    metadata = json.loads((tmp_path / SAE_CONFIG).read_text())["metadata"]
    assert metadata["hook_name"] == PLACE
    told = ("fold_ln", "center_writing_weights", "center_unembed", "fold_value_biases")
    assert metadata["model_from_pretrained_kwargs"] == dict.fromkeys(told, True)


@pytest.mark.parametrize(
    ("hook", "hook_out", "odd"),
    [
        ("blocks.3.hook_resid_mid", "blocks.3.hook_mlp_out:processed", "blocks.3.hook_resid_mid"),
        ("blocks.3.hook_resid_mid:processed", "blocks.3.hook_mlp_out", "blocks.3.hook_mlp_out"),
        ("blocks.3.mlp.hook_in", "blocks.3.hook_mlp_out:processed", "blocks.3.mlp.hook_in"),
        ("blocks.3.mlp.hook_in:processed", None, "blocks.3.mlp.hook_in:processed"),
    ],
)
def test_what_saelens_cannot_tell(hook: str, hook_out: str | None, odd: str, tmp_path: Path) -> None:
    sae = transcoder()
    sae.hook, sae.hook_out = hook, hook_out
    with pytest.raises(NbkitError, match=f"SAELens .* can't tell that '{odd}' is .*: save it in nbkit's own format"):
        sae.save(tmp_path / "saelens", "saelens")
    assert not list((tmp_path / "saelens").glob("*")), "nothing is written by halves"
    sae.save(tmp_path / "nbkit")
    again = load_sae(tmp_path / "nbkit")
    assert (again.hook, again.hook_out) == (hook, hook_out)


def test_what_has_no_hook_is_written_as_before(tmp_path: Path) -> None:
    SparseAutoencoder(5, 12).save(tmp_path)
    config = json.loads((tmp_path / SAE_CONFIG).read_text())
    assert config["schema"] == 1 and not any("hook" in name for name in config)
    sae = load_sae(tmp_path, PLACE)
    sae.save(tmp_path)
    assert json.loads((tmp_path / SAE_CONFIG).read_text())["schema"] == 3, "older versions would ignore the hook"


@pytest.mark.parametrize(
    ("odd", "match"),
    [
        ({"hook": 3}, "hook is 3: give the name"),
        ({"hook_in": None}, "unknown field 'hook_in'"),
        ({"schema": 4}, "1 to"),
    ],
)
def test_damaged(odd: dict[str, object], match: str, tmp_path: Path) -> None:
    SparseAutoencoder(5, 12).save(tmp_path)
    load_sae(tmp_path, PLACE).save(tmp_path)
    config = json.loads((tmp_path / SAE_CONFIG).read_text())
    (tmp_path / SAE_CONFIG).write_text(json.dumps(config | odd))
    with pytest.raises(NbkitError, match=match):
        load_sae(tmp_path)


@pytest.mark.parametrize("name", ["hook", "hook_out"])
def test_a_name_that_is_none_is_not_written(name: str, tmp_path: Path) -> None:
    sae = SparseAutoencoder(5, 12)
    setattr(sae, name, 3)
    with pytest.raises(NbkitError, match=f"{name} is 3: give the name of a hook point"):
        sae.save(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_arguments_have_the_method_s_meaning(tmp_path: Path) -> None:
    SparseAutoencoder(5, 12, "topk", 3).save(tmp_path)
    sae = load_sae(tmp_path, PLACE, "topk", 3)
    assert (sae.hook, sae.activation, sae.k) == (PLACE, "topk", 3)
    assert SparseAutoencoder.load(tmp_path, "topk", 3, PLACE).hook == PLACE
    with pytest.raises(NbkitError, match="says k = 3, and 4 was given"):
        load_sae(tmp_path, k=4)
