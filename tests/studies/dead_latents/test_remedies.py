"""The published remedies: known answers, and the auxiliary loss against a loop."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nbkit.sae.pairs import Pairs
from nbkit.sae.training_run import Pass
from nbkit.studies.dead_latents.remedies import auxiliary_loss, resample

D_IN, D_SAE, B = 3, 5, 4
SILENT = torch.tensor([False, True, False, True, False])


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights() -> dict[str, Tensor]:
    shapes = {"w_enc": (D_IN, D_SAE), "b_enc": (D_SAE,), "w_dec": (D_SAE, D_IN), "b_dec": (D_IN,)}
    return {name: random(*shape, seed=place) for place, (name, shape) in enumerate(shapes.items())}


def test_silent_latents_become_the_input_that_is_missed() -> None:
    before, after = weights(), weights()
    averages = [{name: torch.ones_like(w) for name, w in before.items()} for _ in range(2)]
    h, error = random(B, D_IN, seed=9), torch.zeros(B, D_IN, dtype=torch.float64)
    error[2] = 1.0  # nothing else is missed, so nothing else is drawn
    resample(after, averages, h, error, SILENT, 0.2, torch.Generator().manual_seed(0))

    center = h.mean(0)
    direction = (h[2] - center) / (h[2] - center).norm()
    for j in range(D_SAE):
        if SILENT[j]:
            long = before["w_enc"][:, [0, 2, 4]].norm(dim=0).mean()
            torch.testing.assert_close(after["w_enc"][:, j], 0.2 * long * direction)
            torch.testing.assert_close(after["w_dec"][j], before["w_dec"][[0, 2, 4]].norm(dim=1).mean() * direction)
            pre = (center - after["b_dec"]) @ after["w_enc"][:, j] + after["b_enc"][j]
            assert float(pre) == pytest.approx(0, abs=1e-12), "half of the inputs activate it"
        else:
            assert torch.equal(after["w_enc"][:, j], before["w_enc"][:, j])
            assert torch.equal(after["w_dec"][j], before["w_dec"][j]) and after["b_enc"][j] == before["b_enc"][j]
    assert torch.equal(after["b_dec"], before["b_dec"])
    for average in averages:
        kept = (~SILENT).double()
        assert torch.equal(average["w_enc"], kept.expand(D_IN, -1)) and torch.equal(average["b_enc"], kept)
        assert torch.equal(average["w_dec"], kept[:, None].expand(-1, D_IN))
        assert torch.equal(average["b_dec"], torch.ones(D_IN, dtype=torch.float64))


def test_inputs_are_drawn_by_the_square_of_their_loss() -> None:
    n = 3000
    w = {
        "w_enc": torch.ones(2, n, dtype=torch.float64),
        "b_enc": torch.zeros(n, dtype=torch.float64),
        "w_dec": torch.ones(n, 2, dtype=torch.float64),
        "b_dec": torch.zeros(2, dtype=torch.float64),
    }
    silent = torch.ones(n, dtype=torch.bool)
    silent[0] = False
    h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    error = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)  # losses 1 and 2: drawn as 1 to 4
    resample(w, [], h, error, silent, 1.0, torch.Generator().manual_seed(0))
    share = float((w["w_enc"][1, 1:] > 0).double().mean())
    assert share == pytest.approx(0.8, abs=0.03)  # 4 standard deviations


def test_the_auxiliary_loss_is_the_published_one() -> None:
    h, error = random(B, D_IN, seed=1), random(B, D_IN, seed=2)
    pre, w_dec = random(B, D_SAE, seed=3).requires_grad_(), random(D_SAE, D_IN, seed=4).requires_grad_()
    silent = torch.tensor([True, True, False, True, False])
    state = Pass(h, pre, pre.relu(), error.clone().requires_grad_(), Pairs(pre))
    loss = auxiliary_loss(state, w_dec, silent)

    squared = torch.zeros((), dtype=torch.float64)
    for b in range(B):
        best = max((0, 1, 3), key=lambda j: float(pre[b, j].detach()))  # of the silent, d_in / 2 rounded down: one
        squared = squared + ((pre[b, best] * w_dec[best] + error[b]) ** 2).sum()
    plain = squared / (error**2).sum() * (h**2).mean()  # what is missing is minus the error
    torch.testing.assert_close(loss, plain)
    ours = torch.autograd.grad(loss, [pre, w_dec, state.error], allow_unused=True)
    theirs = torch.autograd.grad(plain, [pre, w_dec])
    for mine, other in zip(ours, theirs, strict=False):
        torch.testing.assert_close(mine, other)
    assert ours[2] is None, "what is missing takes no gradient"


def test_a_perfect_rescue_costs_nothing_and_none_silent_is_no_loss() -> None:
    h = torch.tensor([[2.0, 0.0], [0.0, 4.0]])
    pre = torch.tensor([[2.0, -1.0, 9.0], [-1.0, 4.0, 9.0]])
    state = Pass(h, pre, pre.relu(), -h, Pairs(pre))  # all is missing
    w_dec = torch.tensor([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    assert float(auxiliary_loss(state, w_dec, torch.tensor([True, True, False]))) == 0
    assert float(auxiliary_loss(state, w_dec, torch.tensor([False, False, False]))) == 0
    blind = torch.zeros_like(w_dec)
    assert float(auxiliary_loss(state, blind, torch.tensor([True, True, False]))) == pytest.approx(5.0)  # mean square


def test_fewer_silent_latents_than_are_taken() -> None:
    pre = torch.tensor([[1.0, 1.0]])
    state = Pass(torch.ones(1, 6), pre, pre, -torch.ones(1, 6), Pairs(pre))
    only = auxiliary_loss(state, torch.ones(2, 6), torch.tensor([True, False]))
    assert float(only) == 0  # the other's 1 would make it 2 where 1 is missing
