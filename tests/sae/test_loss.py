"""The neuron-embedding loss against the paper's loop over inputs and latents, and its state over many batches."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.sae.loss import Gradient, NeuronEmbeddingLoss, Over

EXACT = 1e-10


class PlainLoop:
    """Equations 4 and 6 as the paper writes them: a lookup from latents to averages, one pair after the other."""

    def __init__(self, momentum: float, over: str, gradient: str = "whole") -> None:
        self.momentum, self.over, self.gradient = momentum, over, gradient
        self.average: dict[int, Tensor] = {}

    def loss(self, h: Tensor, z: Tensor, w_enc: Tensor) -> Tensor:
        total = w_enc.sum() * 0
        for i in range(len(h)):
            for j in (z[i] > 0).nonzero()[:, 0].tolist():
                if j in self.average:
                    average, current = self.average[j] * w_enc[:, j], h[i] * w_enc[:, j]
                    if self.gradient == "average":
                        current = current.detach()
                    share = 1 / int((z[:, j] > 0).sum()) if self.over == "latents" else 1
                    total = total + share * (1 - average @ current / (average.norm() * current.norm()))
        return total

    def update(self, h: Tensor, z: Tensor) -> None:
        m = self.momentum
        for i in range(len(h)):
            for j in (z[i] > 0).nonzero()[:, 0].tolist():
                self.average[j] = m * self.average[j] + (1 - m) * h[i] if j in self.average else h[i]


def batch(generator: torch.Generator, b: int, d: int, m: int, share: float) -> tuple[Tensor, Tensor, Tensor]:
    h, z, w = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((b, d), (b, m), (d, m)))
    active = torch.rand(b, m, generator=generator) < share
    return h, z.abs() * active, w.requires_grad_(True)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    b=st.integers(1, 9),
    d=st.integers(1, 6),
    m=st.integers(1, 7),
    share=st.sampled_from([0.05, 0.3, 1.0]),
    momentum=st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    over=st.sampled_from(["pairs", "latents"]),
    gradient_of=st.sampled_from(["whole", "average", "opposite"]),
)
def test_value_gradient_and_state_are_those_of_the_loop(
    seed: int, b: int, d: int, m: int, share: float, momentum: float, over: Over, gradient_of: Gradient
) -> None:
    generator = torch.Generator().manual_seed(seed)
    fast = NeuronEmbeddingLoss(d, m, momentum, over, gradient_of).double()
    slow, sign = PlainLoop(momentum, over, gradient_of), -1 if gradient_of == "opposite" else 1
    for _ in range(8):
        h, z, w = batch(generator, b, d, m, share)
        value, expected = fast(h, z, w), slow.loss(h, z, w)
        assert abs(value.item() - expected.item()) < EXACT
        (gradient,) = torch.autograd.grad(value, w)
        (expected_gradient,) = torch.autograd.grad(expected, w)
        assert (gradient - sign * expected_gradient).abs().max() < EXACT * (1 + expected_gradient.abs().max())
        fast.update(h, z)
        slow.update(h, z)
        assert set(slow.average) == set(fast.seen.nonzero()[:, 0].tolist())
        for j, average in slow.average.items():
            assert (fast.average[j] - average).abs().max() < EXACT


def test_float32_agrees_with_float64() -> None:
    generator = torch.Generator().manual_seed(1)
    single, double = NeuronEmbeddingLoss(16, 32), NeuronEmbeddingLoss(16, 32).double()
    for _ in range(20):
        h, z, w = batch(generator, 128, 16, 32, 0.2)
        assert single(h.float(), z.float(), w.float()).item() == pytest.approx(double(h, z, w).item(), rel=1e-5)
        single.update(h.float(), z.float())
        double.update(h, z)
    torch.testing.assert_close(single.average, double.average.float(), rtol=1e-4, atol=1e-5)


def test_a_stack_is_each_of_its_autoencoders() -> None:
    generator = torch.Generator().manual_seed(2)
    stack = NeuronEmbeddingLoss(5, 6, n_saes=3).double()
    alone = [NeuronEmbeddingLoss(5, 6).double() for _ in range(3)]
    for _ in range(5):
        parts = [batch(generator, 7, 5, 6, 0.4) for _ in alone]
        h, z, w = (torch.stack([part[i].detach() for part in parts]) for i in range(3))
        w.requires_grad_(True)
        values = stack(h, z, w)
        (gradient,) = torch.autograd.grad((values * torch.tensor([1.0, 2.0, 3.0])).sum(), w)
        for i, (loss, part) in enumerate(zip(alone, parts, strict=True)):
            value = loss(*part)
            assert abs(value.item() - values[i].item()) < EXACT
            torch.testing.assert_close(gradient[i], (i + 1) * torch.autograd.grad(value, part[2])[0])
            loss.update(part[0], part[1])
        stack.update(h, z)
        torch.testing.assert_close(stack.average, torch.stack([loss.average for loss in alone]))


def test_known_answer() -> None:
    loss = NeuronEmbeddingLoss(2, 1, momentum=0.5)
    w = torch.tensor([[1.0], [2.0]])
    first, second = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    on = torch.ones(1, 1)
    assert loss(first, on, w) == 0  # nothing to compare with
    loss.update(first, on)
    assert loss.average[0].tolist() == [2.0, 0.0]
    assert loss(first, on, w) == 0  # the same direction
    assert loss(second, on, w) == 1  # a right angle
    assert loss(-first, on, w) == 2
    loss.update(second, on)
    assert loss.average[0].tolist() == [1.0, 1.5]


def test_inactive_pairs_leave_no_trace() -> None:
    loss = NeuronEmbeddingLoss(3, 2)
    h, z, w = torch.randn(4, 3), torch.zeros(4, 2), torch.randn(3, 2)
    loss.update(h, z)
    assert not loss.seen.any()
    assert (loss.average == 0).all()
    assert loss(h, z, w) == 0


def test_an_embedding_without_direction_counts_one_and_has_no_gradient() -> None:
    loss = NeuronEmbeddingLoss(2, 1)
    on = torch.ones(1, 1)
    loss.update(torch.tensor([[1.0, 1.0]]), on)
    w = torch.ones(2, 1, requires_grad=True)
    value = loss(torch.zeros(1, 2), on, w)
    assert value == 1
    (gradient,) = torch.autograd.grad(value, w)
    assert (gradient == 0).all()


@pytest.mark.parametrize("size", [1e-12, 1e-18, 1e-30, 1e12])
def test_no_size_of_weights_makes_it_infinite(size: float) -> None:
    """Weight decay shrinks the weights of a dead latent without end, and such a latent may be unseen or come back."""
    loss, h = NeuronEmbeddingLoss(3, 4), torch.rand(6, 3) + 0.1
    w, z = (torch.rand(3, 4) * size).requires_grad_(True), torch.ones(6, 4) * torch.tensor([1.0, 1.0, 0.0, 0.0])
    loss.update(h, z)
    value = loss(h, torch.ones(6, 4), w)  # half of the latents are unseen
    (gradient,) = torch.autograd.grad(value, w)
    assert 0 <= value <= 12.001
    assert gradient.isfinite().all()
    assert (gradient[:, 2:] == 0).all()


def test_the_gradient_is_orthogonal_to_the_weights() -> None:
    """A cosine does not change with the length of a latent's weights."""
    generator = torch.Generator().manual_seed(3)
    loss = NeuronEmbeddingLoss(6, 8).double()
    for _ in range(3):
        h, z, w = batch(generator, 20, 6, 8, 0.5)
        loss.update(h, z)
    (gradient,) = torch.autograd.grad(loss(h, z, w), w)
    assert gradient.abs().max() > 0.1
    assert ((gradient * w).sum(0)).abs().max() < 1e-9


def test_the_state_takes_no_gradient_and_is_saved_and_restored() -> None:
    generator = torch.Generator().manual_seed(4)
    loss = NeuronEmbeddingLoss(5, 4).double()
    h, z, w = batch(generator, 6, 5, 4, 0.5)
    loss.update(h.requires_grad_(True), z.requires_grad_(True))
    assert not loss.average.requires_grad
    restored = NeuronEmbeddingLoss(5, 4).double()
    restored.load_state_dict(loss.state_dict())
    h, z, w = batch(generator, 6, 5, 4, 0.5)
    assert restored(h, z, w).item() == loss(h, z, w).item()


@pytest.mark.parametrize("momentum", [-0.1, 1.0, float("nan")])
def test_a_momentum_out_of_range_is_refused(momentum: float) -> None:
    with pytest.raises(NbkitError, match=r"momentum is .*: choose one in \[0, 1\)"):
        NeuronEmbeddingLoss(2, 2, momentum)


def test_shapes_that_do_not_fit_are_refused() -> None:
    loss = NeuronEmbeddingLoss(3, 4)
    h, z, w = torch.zeros(2, 3), torch.zeros(2, 4), torch.zeros(3, 4)
    with pytest.raises(NbkitError, match=r"h has shape \(2, 5\): this loss needs \(2, 3\)"):
        loss(torch.zeros(2, 5), z, w)
    with pytest.raises(NbkitError, match=r"z has shape \(3, 4\): this loss needs \(2, 4\)"):
        loss.update(h, torch.zeros(3, 4))
    with pytest.raises(NbkitError, match=r"w_enc has shape \(4, 3\): this loss needs \(3, 4\)"):
        loss(h, z, w.T)
    with pytest.raises(NbkitError, match="both must be at least 1"):
        NeuronEmbeddingLoss(0, 4)
    with pytest.raises(NbkitError, match="There is no sum over 'inputs': choose one of pairs, latents"):
        NeuronEmbeddingLoss(3, 4, over="inputs")  # type: ignore[arg-type]
    with pytest.raises(NbkitError, match="There is no gradient 'half': choose one of whole, average, opposite"):
        NeuronEmbeddingLoss(3, 4, gradient="half")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("over", ["pairs", "latents"])
@pytest.mark.parametrize("gradient_of", ["whole", "average", "opposite"])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype, over: Over, gradient_of: Gradient) -> None:
    half = NeuronEmbeddingLoss(6, 8, 0.9, over, gradient_of).to(dtype)
    wide = NeuronEmbeddingLoss(6, 8, 0.9, over, gradient_of)
    generator = torch.Generator().manual_seed(3)
    for _ in range(4):
        h, z, w = (tensor.detach().to(dtype) for tensor in batch(generator, 20, 6, 8, 0.5))
        for_half, for_wide = w.clone().requires_grad_(True), w.float().requires_grad_(True)
        value, expected = half(h, z, for_half), wide(h.float(), z.float(), for_wide)
        assert value.dtype == torch.float32 and value == expected
        (gradient,) = torch.autograd.grad(value, for_half)
        assert torch.equal(gradient, torch.autograd.grad(expected, for_wide)[0].to(dtype))
        half.update(h, z)
        wide.update(h.float(), z.float())
    assert half.average.dtype == torch.float32 and torch.equal(half.average, wide.average)
    assert torch.equal(half.half().bfloat16().average, wide.average)  # what was kept is not rounded either


def test_an_average_goes_on_by_steps_below_the_last_bit_of_half_precision() -> None:
    """In bfloat16 a step of 0.01 * (1.0078 - 1) from 1 is none."""
    loss, on = NeuronEmbeddingLoss(1, 1, momentum=0.99).bfloat16(), torch.ones(1, 1).bfloat16()
    loss.update(torch.ones(1, 1).bfloat16(), on)
    for _ in range(1000):
        loss.update(torch.full((1, 1), 1.0078125).bfloat16(), on)
    assert float(loss.average) == pytest.approx(1.0078125, abs=1e-5)


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1e3])
@pytest.mark.parametrize("gradient_of", ["whole", "average"])
def test_small_and_large_activations_give_the_loss_and_the_gradient_of_float64(
    size: float, gradient_of: Gradient
) -> None:
    """A cosine has no scale: value and gradient are those of activations of about 1."""
    generator = torch.Generator().manual_seed(5)
    h, z, w = batch(generator, 30, 6, 8, 0.4)
    exact, scaled = (
        NeuronEmbeddingLoss(6, 8, gradient=gradient_of).double(),
        NeuronEmbeddingLoss(6, 8, gradient=gradient_of),
    )
    exact.update(h, z)
    scaled.update((h * size).float(), (z * size).float())
    value, expected = scaled((h * size).float(), (z * size).float(), w), exact(h, z, w)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    gradient, wanted = (torch.autograd.grad(each, w)[0] for each in (value, expected))
    torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


def test_numpy_and_mixed_precisions_are_taken() -> None:
    generator = torch.Generator().manual_seed(3)
    h, z, w = (tensor.detach() for tensor in batch(generator, 9, 3, 4, 0.5))
    one, other = NeuronEmbeddingLoss(3, 4), NeuronEmbeddingLoss(3, 4)
    one.update(h.numpy(), z.numpy())
    other.update(h.float(), z)
    assert torch.equal(one.average, other.average)
    assert one(h.numpy(), z, w.float()) == other(h.float(), z.float(), w.numpy())
    with pytest.raises(NbkitError, match="h hold complex numbers"):
        one(h * 1j, z, w)


@pytest.mark.parametrize("bad", [float("nan"), "0.9", None, True, -0.1])
def test_a_momentum_that_is_no_number_is_refused(bad: object) -> None:
    with pytest.raises(NbkitError, match="The momentum is"):
        NeuronEmbeddingLoss(2, 2, bad)  # type: ignore[arg-type]
    with pytest.raises(NbkitError, match=r"d_in is 1\.5: give a whole number"):
        NeuronEmbeddingLoss(1.5, 2)  # type: ignore[arg-type]
