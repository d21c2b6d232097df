"""Chooses the reader of an autoencoder's files, by what is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.method.checks import shown
from nbkit.sae.architecture import AnyActivation
from nbkit.sae.autoencoder_parts import Found
from nbkit.sae.description import Description
from nbkit.sae.foreign.dictionary_learning import read_dictionary_learning
from nbkit.sae.foreign.gemma_scope import read_gemma_scope_2, read_npz
from nbkit.sae.foreign.nanda import read_nanda
from nbkit.sae.foreign.saelens import SAELENS_WEIGHTS, read_saelens
from nbkit.sae.foreign.sparsify import read_sparsify
from nbkit.sae.foreign.state_dict import read_state_dict
from nbkit.sae.foreign.weights import read_weights
from nbkit.sae.hooks import Hooks, are_same_place, checked_hook
from nbkit.sae.own_folder import SAE_CONFIG, SAE_WEIGHTS, read_folder

Reader = Callable[[Description, dict[str, Tensor], Path], Found]

DESCRIPTIONS = (SAE_CONFIG, "config.json")
WEIGHTS = (SAELENS_WEIGHTS, SAE_WEIGHTS, "ae.pt", "params.npz", "params.safetensors")
"""Names under which a folder holds an autoencoder."""
UNREAD = ("hyperparams.json", "hyperparameters.json", "config.yaml", "cfg.yaml", "conf.yaml", "config.yml")
"""Names of descriptions that other codes write and nbkit doesn't read."""
_OF_SAELENS = frozenset(
    ("architecture", "d_sae", "hook_name", "hook_point", "metadata", "sae", "normalize_activations", "hook_layer")
)


def open_files(
    path: Path, activation: AnyActivation | None = None, k: int | None = None, hook: str | None = None
) -> Found:
    """What is in a folder or a file of weights, obeying the description beside it.

    Args:
        path: the folder or file.
        activation: what a file without description is opened with; with one it must agree.
        k: likewise.
        hook: where the activations come from; with what the description says it must agree.

    Raises:
        NbkitError: there is nothing to read, or what is there is damaged, unknown, contradicts itself or the arguments.
    """
    if path.is_dir():
        description = _description(path, None)
        if description is not None and "schema" in description.fields:
            weights = path / SAE_WEIGHTS
        else:
            weights = _weights(path, description)
    else:
        weights = path
        description = _beside(path) if path.is_file() else None
    found, where = _read(weights, description, activation, k), description.path if description else weights
    for name, given in (("activation", activation), ("k", k)):
        said = getattr(found.architecture, name)
        if given is not None and given != said:
            raise NbkitError(f"{where} says {name} = {said!r}, and {given!r} was given: leave it out.")
    return found._replace(hooks=_told(found, checked_hook("hook", hook), where))


def _told(found: Found, hook: str | None, where: Path) -> Hooks:
    """The hook points that are beyond doubt, or what the user said, who must not contradict the files."""
    read, predicted, same = found.hooks
    if hook is not None and read is not None and not are_same_place(hook, read):
        raise NbkitError(f"{where} says hook = {shown(read)}, and {shown(hook)} was given: leave it out.")
    known = predicted if same and found.architecture.d_out is not None else None
    return Hooks(hook or (read if same else None), known)


def _beside(weights: Path) -> Description | None:
    """The description of a file of weights; a folder of checkpoints has it one step up."""
    own = weights.with_name(f"{weights.stem}_cfg.json")
    if own.is_file():
        return Description.read(own)
    folders = [weights.parent, *([weights.parent.parent] if weights.parent.name == "checkpoints" else [])]
    for folder in folders:
        if description := _description(folder, "ae.pt" if weights.name.startswith("ae") else weights.name):
            return description
    unread = [folder / name for folder in folders for name in (*UNREAD, f"{weights.stem}.json")]
    for path in unread:
        if path.is_file():
            raise NbkitError(
                f"{path} may describe {weights.name}, and nbkit can't read it: if it is about something else, put the "
                "weights into a folder of their own"
            )
    return None


def _description(folder: Path, weights: str | None) -> Description | None:
    """The description in a folder; if there are two, `config.json` is that of `ae.pt`."""
    names = [name for name in DESCRIPTIONS if (folder / name).is_file()]
    if not names:
        return None
    return Description.read(folder / (names[-1] if weights == "ae.pt" else names[0]))


def _weights(folder: Path, description: Description | None) -> Path:
    names = [name for name in WEIGHTS if (folder / name).is_file()]
    if description is None and names != ["params.npz"]:
        raise NbkitError(f"no sparse autoencoder in {folder}: it has no {SAE_CONFIG}, no config.json and no params.npz")
    if len(names) > 1 and description is not None and _reader(description) is read_saelens:
        names = names[:1]
    if len(names) != 1:
        what = f"both {names[0]} and {names[1]}" if names else f"none of {', '.join(WEIGHTS)}"
        raise NbkitError(f"{folder} has {what}: give the file of the weights itself")
    return folder / names[0]


def _read(weights: Path, description: Description | None, activation: AnyActivation | None, k: int | None) -> Found:
    if description is None:
        tensors = read_weights(weights)
        if weights.suffix == ".npz":
            return read_npz(tensors, weights)
        return read_state_dict(tensors, weights, activation or "relu", k)
    if "schema" in description.fields and weights.name == SAE_WEIGHTS:
        return read_folder(description)
    reader = _reader(description)
    try:
        return reader(description, read_weights(weights), weights)
    except NbkitError:
        raise
    except (RuntimeError, IndexError) as error:  # matrices that don't fit each other
        raise NbkitError(f"{weights}: its tensors don't fit each other ({str(error)[:80]})") from error


def _reader(description: Description) -> Reader:
    fields = description.fields
    if {"act_size", "dict_size"} <= set(fields):
        return read_nanda
    if isinstance(fields.get("trainer"), dict):
        return read_dictionary_learning
    if fields.get("architecture") == "jump_relu":
        return read_gemma_scope_2
    if _OF_SAELENS & set(fields):
        return read_saelens
    if "d_in" in fields and {"k", "num_latents", "expansion_factor"} & set(fields):
        return read_sparsify
    raise NbkitError(
        f"{description.path} doesn't describe a sparse autoencoder that nbkit knows: if it is about something else, "
        "put the weights into a folder of their own"
    )
