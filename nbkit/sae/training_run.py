"""One run of training: its config, its steps, its checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn.functional import embedding

from nbkit.errors import NbkitError
from nbkit.files import read_tensors, write_tensors
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.equations import activate, affine, pre_activations
from nbkit.sae.loss import NeuronEmbeddingLoss
from nbkit.sae.pairs import Pairs
from nbkit.sae.sparse_pass import SparsePass

THRESHOLD_MOMENTUM = 0.99
PARAMETERS = ("w_enc", "b_enc", "w_dec", "b_dec")


class Pass(NamedTuple):
    """What autoencoders make of a batch."""

    h: Float[Tensor, "*stack b d_in"]
    pre: Float[Tensor, "*stack b d_sae"]
    """Pre-activations."""
    z: Float[Tensor, "*stack b d_sae"]
    error: Float[Tensor, "*stack b d_in"]
    """Reconstruction minus input."""
    pairs: Pairs
    """Of the inputs and the latents that they activate."""


class TrainingRun:
    """A training run of one autoencoder, or of a stack of them: then every tensor has one dimension more in front.

    Activations in half precision are taken batch by batch to float32, in which weights and all averages are kept: in
    bfloat16 a step of Adam is often less than a weight's last bit. The trained autoencoders are of the activations'
    precision again.

    Experiments override its methods (`nbkit.studies.dead_latents.interventions`).
    """

    def __init__(self, data: Float[Tensor, "n d_in"], configs: Sequence[SaeConfig]) -> None:
        self.data, self.configs, self.config = data, list(configs), configs[0]
        self.dtype = torch.promote_types(data.dtype, torch.float32)
        self.stacked = len(self.configs) > 1
        d_in = data.shape[1]
        saes = [_untrained(data, config) for config in self.configs]
        self.weights = {name: self.stack([getattr(sae, name).detach() for sae in saes]) for name in PARAMETERS}
        self.weights["w_enc"] = self.weights["w_enc"].mT.contiguous().mT  # in memory latent by latent, as it is used
        for weight in self.weights.values():
            weight.requires_grad_(True)
        self.threshold = self.stack([sae.threshold for sae in saes])
        self.l1 = self.stack([torch.tensor(c.l1, dtype=torch.float64) for c in self.configs])
        self.ne = self.stack([torch.tensor(c.ne, dtype=torch.float64) for c in self.configs])
        self.optimizer = torch.optim.Adam(
            self.weights.values(), lr=self.config.learning_rate, weight_decay=self.config.weight_decay, fused=True
        )
        self.embedding_loss: NeuronEmbeddingLoss | None = None
        if self.config.ne > 0:
            n_saes = len(self.configs) if self.stacked else None
            c = self.config
            loss = NeuronEmbeddingLoss(d_in, c.d_sae, c.momentum, c.ne_over, c.ne_gradient, n_saes)
            self.embedding_loss = loss.to(data.device, self.dtype)
        self.step = 0
        self.steps_an_epoch = -(-len(data) // self.config.batch_size)
        self.n_steps = self.steps_an_epoch * self.config.epochs

    def advance(self) -> None:
        """One step of the optimizer.

        Raises:
            NbkitError: the loss is not finite.
        """
        self.optimizer.zero_grad()  # first, for less memory
        state = self.forward(self.batch())
        loss = self.loss(state)
        loss.sum().backward()
        self._check(self.with_embedding_loss(loss.detach(), state))
        self.take_step(state)
        self.step += 1

    def batch(self) -> Float[Tensor, "*stack b d_in"]:
        """The activations of this step."""
        return embedding(self.places(), self.data).to(self.dtype)  # a third of the time of an index

    def forward(self, h: Float[Tensor, "*stack b d_in"]) -> Pass:
        """The autoencoders on a batch."""
        w = self.weights
        pre = pre_activations(h, w["w_enc"], w["b_enc"], w["b_dec"])
        z = activate(pre, self.config.activation, self.config.k)
        pairs = Pairs(z)
        if pairs.few:
            z, error = SparsePass.apply(h, pairs, *(w[name] for name in PARAMETERS))  # type: ignore[no-untyped-call]
        else:
            error = affine(z, w["w_dec"], w["b_dec"]) - h
        return Pass(h, pre, z, error, pairs)

    def loss(self, state: Pass) -> Float[Tensor, "*stack"]:
        """Equation 5 without the neuron-embedding loss."""
        loss: Tensor = state.error.square().mean((-2, -1)) + self.l1 * state.z.sum((-2, -1))
        return loss

    @torch.no_grad()
    def with_embedding_loss(self, loss: Float[Tensor, "*stack"], state: Pass) -> Float[Tensor, "*stack"]:
        """Equation 5, given the rest of it, whose gradient is known; adds the gradient of the neuron-embedding loss to
        it and updates the averages of equation 6. By hand: autograd would take another tenth of a small step."""
        if self.embedding_loss is None:
            return loss
        if self.step >= self.config.ne_start:
            value, gradient = self.embedding_gradient(state)
            loss = torch.addcmul(loss, self.ne, value)
            whole = self.weights["w_enc"].grad
            assert whole is not None
            whole.addcmul_(gradient, self.ne[..., None, None])
        self.embedding_loss.update_from_pairs(state.h, state.pairs)
        return loss

    def embedding_gradient(self, state: Pass) -> tuple[Float[Tensor, "*stack"], Float[Tensor, "*stack d_in d_sae"]]:
        """The neuron-embedding loss and its gradient, unweighted."""
        assert self.embedding_loss is not None
        return self.embedding_loss.value_and_gradient(state.h, state.pairs, self.weights["w_enc"])

    def take_step(self, state: Pass) -> None:
        """The optimizer's step, the gradients being known, and what follows it: the threshold of `batch_topk`."""
        self.optimizer.step()
        if self.config.activation == "batch_topk":
            smallest = state.z.detach().where(state.z > 0, torch.inf).amin((-2, -1))
            smallest = smallest.where(smallest.isfinite(), self.threshold)  # a batch that activates no latent
            share = THRESHOLD_MOMENTUM if self.step else 0.0
            self.threshold.mul_(share).add_((1 - share) * smallest)

    def places(self) -> Int[Tensor, "*stack b"]:
        """Which activations this step takes."""
        epoch, number = divmod(self.step, self.steps_an_epoch)
        if number == 0 or not hasattr(self, "orders"):
            orders = [_order(len(self.data), config.seed, epoch) for config in self.configs]
            self.orders = self.stack(orders, dtype=torch.long)
        start = number * self.config.batch_size
        return self.orders[..., start : start + self.config.batch_size]

    def autoencoders(self) -> list[SparseAutoencoder]:
        """What has been trained."""
        saes = []
        for place, config in enumerate(self.configs):
            sae = SparseAutoencoder(self.data.shape[1], config.d_sae, config.activation, config.k).to(self.data)
            state = {**self.weights, "threshold": self.threshold}
            mine = {name: (tensor[place] if self.stacked else tensor).detach() for name, tensor in state.items()}
            sae.load_state_dict(mine)
            saes.append(sae)
        return saes

    def save(self, path: Path) -> None:
        """Writes the whole state: weights, averages of Adam and of the loss, and the step, which gives the data's."""
        state = {name: tensor.contiguous() for name, tensor in self._state().items()}
        write_tensors(state, path, {"run": self._identity, "step": str(self.step)})

    def restore(self, path: Path) -> None:
        """Takes a saved state in.

        Raises:
            NbkitError: it is damaged, or of another run.
        """
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
        except (SafetensorError, OSError) as error:
            raise NbkitError(f"{path} can't be read ({error}): delete it to train from the beginning") from error
        if about.get("run") != self._identity:
            raise NbkitError(
                f"{path} is the checkpoint of another config or other activations: choose another folder, or delete it"
            )
        saved = read_tensors(path)
        for name in PARAMETERS:  # Adam makes its state at the first step
            state = self.optimizer.state[self.weights[name]]
            state["step"] = torch.zeros((), dtype=torch.float32, device=self.data.device)
            state["exp_avg"] = torch.zeros_like(self.weights[name])
            state["exp_avg_sq"] = torch.zeros_like(self.weights[name])
        with torch.no_grad():
            for name, tensor in self._state().items():
                tensor.copy_(saved[name])
        self.step = int(about["step"])

    def _state(self) -> dict[str, Tensor]:
        state = {name: tensor.detach() for name, tensor in self.weights.items()}
        state["threshold"] = self.threshold
        for name, parameter in self.weights.items():
            state |= {f"adam.{name}.{key}": value for key, value in self.optimizer.state[parameter].items()}
        if self.embedding_loss is not None:
            state |= {f"ne.{name}": tensor for name, tensor in self.embedding_loss.state_dict().items()}
        return state

    @cached_property
    def _identity(self) -> str:
        rows, width = self.data.shape
        digest = sha256(self.data.cpu().contiguous().view(torch.uint8).numpy().data).hexdigest()
        return json.dumps(
            {**asdict(self.config), "n": rows, "d_in": width, "sha256": digest, "dtype": str(self.data.dtype)}
        )

    def _check(self, loss: Tensor) -> None:
        if bool(loss.isfinite().all()):
            return
        bad = 0 if not self.stacked else int((~loss.isfinite()).nonzero()[0, 0])
        raise NbkitError(
            f"training diverged: the loss is not finite at step {self.step} of {self.n_steps} ({self.configs[bad]}); "
            "lower learning_rate, l1 or ne; the last good checkpoint, if there is one, is kept"
        )

    def stack(self, tensors: Sequence[Tensor], dtype: torch.dtype | None = None) -> Tensor:
        """A tensor of each autoencoder as one tensor, on the data's device; if no type is given, of the run's."""
        joined = torch.stack(list(tensors)) if self.stacked else tensors[0]
        return joined.to(self.data.device, dtype or self.dtype, copy=True)


def _untrained(data: Float[Tensor, "n d_in"], config: SaeConfig) -> SparseAutoencoder:
    """The autoencoder that training begins with; of `topk` and `batch_topk`, b_dec is the mean of the activations."""
    dtype = torch.promote_types(data.dtype, torch.float32)
    sae = SparseAutoencoder(data.shape[1], config.d_sae, config.activation, config.k, config.seed)
    sae = sae.to(data.device, dtype)
    if config.activation != "relu":
        sae.b_dec.data = data.mean(
            0, dtype=dtype
        )  # else the inputs' common part decides which latents win, and the others die
    return sae


def _order(n: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch takes the activations."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(1_000_003 * seed + epoch))
