"""The sparse autoencoder: its equations, its activations, and reading its own and foreign files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nbkit.errors import NbkitError
from nbkit.sae.architecture import Architecture
from nbkit.sae.autoencoder import SAE_CONFIG, SAE_WEIGHTS, SparseAutoencoder, activate


def small(activation: str = "relu", k: int | None = None) -> SparseAutoencoder:
    return SparseAutoencoder(5, 12, activation, k, seed=3)  # type: ignore[arg-type]


def test_equations() -> None:
    sae, h = small(), torch.randn(7, 5)
    z, reconstruction = sae(h)
    expected = ((h - sae.b_dec) @ sae.w_enc + sae.b_enc).relu()
    torch.testing.assert_close(z, expected)
    torch.testing.assert_close(reconstruction, z @ sae.w_dec + sae.b_dec)
    assert sae.w_enc.shape == (5, 12)
    assert sae.w_dec.shape == (12, 5)


def test_gradients_are_those_of_the_plain_equations() -> None:
    sae, h = small().double(), torch.randn(7, 5, dtype=torch.float64)
    sae(h).reconstruction.square().sum().backward()
    own = {name: parameter.grad.clone() for name, parameter in sae.named_parameters()}
    sae.zero_grad()
    z = ((h - sae.b_dec) @ sae.w_enc + sae.b_enc).relu()
    (z @ sae.w_dec + sae.b_dec).square().sum().backward()
    for name, parameter in sae.named_parameters():
        torch.testing.assert_close(own[name], parameter.grad)


def test_topk_keeps_the_largest_positive_ones_of_each_input() -> None:
    pre = torch.tensor([[3.0, -1.0, 2.0, 1.0], [-4.0, -3.0, 0.5, -1.0]])
    assert activate(pre, "topk", 2).tolist() == [[3.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.5, 0.0]]


def test_batch_topk_shares_its_places_out_over_the_batch() -> None:
    pre = torch.tensor([[3.0, 2.5, 2.0, 1.0], [0.1, -3.0, 0.5, -1.0]])
    assert activate(pre, "batch_topk", 2).tolist() == [[3.0, 2.5, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]]


def test_activations_of_a_stack() -> None:
    pre = torch.randn(3, 6, 10)
    for activation, k in (("relu", None), ("topk", 3), ("batch_topk", 3)):
        stacked = activate(pre, activation, k)
        torch.testing.assert_close(stacked, torch.stack([activate(part, activation, k) for part in pre]))


def test_batch_topk_does_not_depend_on_the_batch_after_training() -> None:
    sae, h = small("batch_topk", 2), torch.randn(20, 5)
    sae.threshold.fill_(0.3)
    torch.testing.assert_close(sae.encode(h)[:4], sae.encode(h[:4]))
    z = sae.encode(h)
    assert ((z == 0) | (z > 0.3)).all()
    assert (z > 0).any()


def test_the_seed_makes_the_weights() -> None:
    assert torch.equal(SparseAutoencoder(4, 8, seed=1).w_enc, SparseAutoencoder(4, 8, seed=1).w_enc)
    assert not torch.equal(SparseAutoencoder(4, 8, seed=1).w_enc, SparseAutoencoder(4, 8, seed=2).w_enc)
    wide = SparseAutoencoder(400, 300)
    assert wide.w_enc.abs().max().item() == pytest.approx(1 / 20, rel=0.01)
    assert wide.w_dec.abs().max().item() == pytest.approx(300**-0.5, rel=0.01)
    tied = SparseAutoencoder(40, 300, "topk", 3)
    assert torch.equal(tied.w_enc, tied.w_dec.T) and not tied.b_enc.any() and not tied.b_dec.any()
    torch.testing.assert_close(tied.w_dec.norm(dim=1), torch.ones(300))


@pytest.mark.parametrize(("activation", "k"), [("relu", None), ("topk", 3), ("batch_topk", 3)])
def test_save_and_load(tmp_path: Path, activation: str, k: int | None) -> None:
    sae, h = small(activation, k), torch.randn(9, 5)
    sae.threshold.fill_(0.1)
    sae.save(tmp_path / "new" / "folder")
    loaded = SparseAutoencoder.load(tmp_path / "new" / "folder")
    assert (loaded.activation, loaded.k) == (activation, k)
    for name, tensor in sae.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])
    assert torch.equal(sae(h).reconstruction, loaded(h).reconstruction)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_precision_is_kept(tmp_path: Path, dtype: torch.dtype) -> None:
    sae, h = small("batch_topk", 2).to(dtype), torch.randn(9, 5)
    sae.threshold.fill_(0.1)
    sae.save(tmp_path / "a")
    loaded = SparseAutoencoder.load(tmp_path / "a")
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {dtype}
    assert torch.equal(sae(h).reconstruction, loaded(h).reconstruction)
    loaded.save(tmp_path / "b")
    for name in (SAE_CONFIG, SAE_WEIGHTS):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype: torch.dtype) -> None:
    sae, h = SparseAutoencoder(400, 30, seed=2).to(dtype), torch.randn(50, 400, generator=torch.Generator())
    z, reconstruction = sae(h)
    exact = ((h.double() - sae.b_dec) @ sae.w_enc.double() + sae.b_enc).relu()
    assert (z.dtype, reconstruction.dtype) == (dtype, dtype)
    rounding = torch.finfo(dtype).eps
    torch.testing.assert_close(z.double(), exact, rtol=rounding, atol=1e-6)  # rounded once, at the end
    torch.testing.assert_close(
        reconstruction.double(), z.double() @ sae.w_dec.double() + sae.b_dec, rtol=rounding, atol=1e-6
    )


def test_activations_of_another_precision_or_of_numpy() -> None:
    sae, h = small(), torch.randn(7, 5, dtype=torch.float64)
    assert sae(h).latents.dtype == torch.float32
    torch.testing.assert_close(sae(h.numpy()).reconstruction, sae(h.float()).reconstruction)  # type: ignore[arg-type]
    torch.testing.assert_close(sae.encode(h.round().int()), sae.encode(h.round().float()))
    assert torch.equal(sae.encode([[1.0] * 5]), sae.encode(torch.ones(1, 5)))  # type: ignore[arg-type]
    for bad in (h.to(torch.complex64), "h", None, [[1.0], [1.0, 2.0]]):
        with pytest.raises(NbkitError, match="The activations"):
            sae.encode(bad)  # type: ignore[arg-type]


FULL = Architecture(
    5,
    12,
    "gated",
    d_out=4,
    apply_b_dec_to_input=False,
    normalize_activations="layer_norm",
    reshape_activations="hook_z",
    skip=True,
)


def with_everything() -> SparseAutoencoder:
    generator = torch.Generator().manual_seed(4)
    return SparseAutoencoder.of(
        FULL, {name: torch.randn(shape, generator=generator) for name, shape in FULL.shapes.items()}
    )


def test_what_is_not_trained_here_is_kept_too(tmp_path: Path) -> None:
    sae, h = with_everything(), torch.randn(9, 5)
    sae.save(tmp_path)
    loaded = SparseAutoencoder.load(tmp_path)
    assert loaded.architecture == FULL
    assert torch.equal(sae(h).reconstruction, loaded(h).reconstruction)
    assert json.loads((tmp_path / SAE_CONFIG).read_text())["schema"] == 2, "older versions would ignore fields"
    config = json.loads((tmp_path / SAE_CONFIG).read_text())
    for odd, match in (({"shift": 1}, "has the unknown field 'shift'"), ({"skip": "no"}, "skip is 'no'")):
        (tmp_path / SAE_CONFIG).write_text(json.dumps(config | odd))
        with pytest.raises(NbkitError, match=match):
            SparseAutoencoder.load(tmp_path)


def test_a_folder_of_the_first_schema(tmp_path: Path) -> None:
    sae = small("topk", 3)
    save_file({name: tensor.contiguous() for name, tensor in sae.state_dict().items()}, tmp_path / SAE_WEIGHTS)
    config = {"schema": 1, "d_in": 5, "d_sae": 12, "activation": "topk", "k": 3}
    (tmp_path / SAE_CONFIG).write_text(json.dumps(config, indent=1) + "\n")
    loaded = SparseAutoencoder.load(tmp_path)
    assert torch.equal(loaded(torch.ones(2, 5)).latents, sae(torch.ones(2, 5)).latents)
    loaded.save(tmp_path)
    written = json.loads((tmp_path / SAE_CONFIG).read_text())
    assert written.pop("seal") and written == config
    (tmp_path / SAE_CONFIG).write_text((tmp_path / SAE_CONFIG).read_text().replace('"k": 3', '"k": 2'))
    with pytest.raises(NbkitError, match="it doesn't give the checksum"):
        SparseAutoencoder.load(tmp_path)


def test_pre_activations_follow_from_what_the_weights_receive() -> None:
    h = torch.randn(9, 5)
    sae = small()
    assert torch.equal(sae.received(h), h)
    torch.testing.assert_close((sae.received(h) @ sae.w_enc + sae.bias).relu(), sae.encode(h))
    gated = with_everything()
    open_gates = gated.received(h) @ gated.w_enc + gated.bias > 0
    assert not bool((gated.encode(h) > 0)[~open_gates].any())


def linear_names(sae: SparseAutoencoder) -> dict[str, torch.Tensor]:
    return {
        "encoder.weight": sae.w_enc.detach().T.contiguous(),
        "encoder.bias": sae.b_enc.detach().clone(),
        "decoder.weight": sae.w_dec.detach().T.contiguous(),
        "decoder.bias": sae.b_dec.detach().clone(),
    }


def saelens_names(sae: SparseAutoencoder) -> dict[str, torch.Tensor]:
    tensors = {"W_enc": sae.w_enc, "b_enc": sae.b_enc, "W_dec": sae.w_dec, "b_dec": sae.b_dec}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@pytest.mark.parametrize("names", [linear_names, saelens_names])
@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_foreign_weights(tmp_path: Path, names, ending: str) -> None:  # type: ignore[no-untyped-def]
    sae, h, path = small(), torch.randn(9, 5), tmp_path / f"foreign.{ending}"
    if ending == "pt":
        torch.save(names(sae), path)
    else:
        save_file(names(sae), path)
    torch.testing.assert_close(SparseAutoencoder.load(path)(h).reconstruction, sae(h).reconstruction)
    assert SparseAutoencoder.load(path, "topk", 2).k == 2


class Code:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("ran"),))


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({**linear_names(small()), "extra": Code()}, "evil.pt")
    with pytest.raises(NbkitError, match="holds code or other objects beside tensors, which are not loaded"):
        SparseAutoencoder.load("evil.pt")
    Path("pickle.pt").write_bytes(pickle.dumps(Code()))
    with pytest.raises(NbkitError):
        SparseAutoencoder.load("pickle.pt")
    assert not Path("ran").exists()


def test_foreign_weights_that_do_not_fit(tmp_path: Path) -> None:
    def refused(tensors: object, match: str) -> None:
        torch.save(tensors, tmp_path / "foreign.pt")
        with pytest.raises(NbkitError, match=match):
            SparseAutoencoder.load(tmp_path / "foreign.pt")

    good = saelens_names(small())
    refused({name: good[name] for name in ("W_enc", "b_enc", "W_dec")}, "lacks the tensor 'b_dec'")
    refused({**good, "scaling": torch.ones(12)}, "has besides those of a sparse autoencoder the tensor 'scaling'")
    refused({**good, "W_dec": torch.ones(11, 5)}, r"w_dec has shape \(11, 5\).* must have \(12, 5\)")
    refused({**good, "b_enc": torch.ones(5)}, r"b_enc has shape \(5,\)")
    refused({**good, "W_enc": torch.ones(5)}, "W_enc has shape .* must be a matrix")
    refused({**good, "b_dec": torch.full((5,), torch.nan)}, "b_dec holds NaN or infinite values")
    refused({"weight": torch.ones(3)}, "holds no sparse autoencoder: its tensors should be named encoder.weight")
    refused([torch.ones(3)], "is not a state dict of tensors")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(NbkitError):
        SparseAutoencoder.load(tmp_path / "text.pt")
    with pytest.raises(NbkitError, match="there is no sparse autoencoder at"):
        SparseAutoencoder.load(tmp_path / "nowhere.pt")


def test_damaged_folders(tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match=f"no sparse autoencoder in .*: it has no {SAE_CONFIG}"):
        SparseAutoencoder.load(tmp_path)
    small().save(tmp_path)
    config = json.loads((tmp_path / SAE_CONFIG).read_text())
    (tmp_path / SAE_CONFIG).write_text(json.dumps({**config, "d_sae": 13}))
    with pytest.raises(NbkitError, match=r"has shape .*; with d_in = 5 and d_sae = 13 it must have"):
        SparseAutoencoder.load(tmp_path)
    (tmp_path / SAE_CONFIG).write_text(json.dumps({**config, "schema": 99}))
    with pytest.raises(NbkitError, match="has schema 99"):
        SparseAutoencoder.load(tmp_path)
    (tmp_path / SAE_CONFIG).write_text("{")
    with pytest.raises(NbkitError, match="doesn't describe a sparse autoencoder"):
        SparseAutoencoder.load(tmp_path)
    small().save(tmp_path)
    whole = (tmp_path / SAE_WEIGHTS).read_bytes()
    (tmp_path / SAE_WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NbkitError, match="can't be read"):
        SparseAutoencoder.load(tmp_path)


def test_a_format_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match="format is 'onnx': choose one of nbkit, saelens"):
        small().save(tmp_path, format="onnx")  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NbkitError, match=r"can't write to .*: choose another folder"):
        small().save(tmp_path / "file" / "folder")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((0, 4), "both must be at least 1"),
        ((4, 8, "gelu"), "There is no activation 'gelu': choose one of relu, topk, batch_topk"),
        ((4, 8, "relu", 3), "leave k out"),
        ((4, 8, "topk"), "topk needs a number of latents from 1 to 8"),
        ((4, 8, "batch_topk", 9), "batch_topk needs a number of latents from 1 to 8"),
        ((4, 8, "jumprelu"), "jumprelu autoencoders are read from other codes' files, not trained here"),
        ((4.5, 8), "d_in is 4.5: give a whole number"),
        ((4, 8, "topk", True), "k is True: give a whole number"),
    ],
)
def test_bad_arguments(arguments: tuple[object, ...], match: str) -> None:
    with pytest.raises(NbkitError, match=match):
        SparseAutoencoder(*arguments)  # type: ignore[arg-type]


def test_activations_of_the_wrong_width() -> None:
    with pytest.raises(NbkitError, match=r"have shape \(3, 4\): this sparse autoencoder reads \(b, 5\)"):
        small()(torch.zeros(3, 4))
