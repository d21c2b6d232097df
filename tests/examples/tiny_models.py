"""Small random-weight models in local Hugging Face folders, made in a second, with every parameter non-trivial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from nbkit.corpora import Contexts
from nbkit.models import LanguageModel

SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = [*SPECIAL, *(chr(code) for code in range(32, 127)), "\n"]
N_CTX = 64
D_MODEL, N_LAYERS, N_HEADS = 24, 3, 2
D_MLP = 40


def make_tokenizer(*, bert: bool = False) -> PreTrainedTokenizerFast:
    """A tokenizer with a token per character."""
    words = {word: number for number, word in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    names = (
        {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
        if bert
        else {"bos_token": "<s>", "eos_token": "</s>"}
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", **names)


def make_network(architecture: str) -> PreTrainedModel:
    """A random model of `architecture`: gpt2, bert, llama, phi3 (fused gate and up), gemma2, mixtral (experts)."""
    torch.manual_seed(0)
    vocabulary = {"vocab_size": len(VOCABULARY), "pad_token_id": 0}
    if architecture == "gpt2":
        sizes = {"n_embd": D_MODEL, "n_inner": D_MLP, "n_layer": N_LAYERS, "n_head": N_HEADS, "n_positions": N_CTX}
        return GPT2LMHeadModel(GPT2Config(**vocabulary, **sizes, bos_token_id=1, eos_token_id=2))
    sizes = {
        "hidden_size": D_MODEL,
        "intermediate_size": D_MLP,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": N_HEADS,
        "max_position_embeddings": N_CTX,
    }
    if architecture == "bert":
        return BertForMaskedLM(BertConfig(**vocabulary, **sizes))
    sizes |= {"num_key_value_heads": 1, "bos_token_id": 1, "eos_token_id": 2}
    if architecture == "llama":
        return LlamaForCausalLM(LlamaConfig(**vocabulary, **sizes))
    if architecture == "phi3":
        return Phi3ForCausalLM(Phi3Config(**vocabulary, **sizes))
    if architecture == "mixtral":
        return MixtralForCausalLM(MixtralConfig(**vocabulary, **sizes, num_local_experts=2))
    # A cap this low bends every attention score, so that an attention without it gives other numbers.
    heads = {"head_dim": 12, "query_pre_attn_scalar": 12, "attn_logit_softcapping": 0.5, "sliding_window": 8}
    return Gemma2ForCausalLM(Gemma2Config(**vocabulary, **sizes, **heads))


def make_model(architecture: str, folder: Path) -> Path:
    """Saves a random model of `architecture` and its tokenizer in `folder`."""
    network = make_network(architecture)
    with torch.no_grad():  # layer norms start at 1 and biases at 0, which would hide a mistake in either
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    network.save_pretrained(folder)
    make_tokenizer(bert=architecture == "bert").save_pretrained(folder)
    return folder


PRUNED, PADDED = 3, 5
"""Of every layer of a `prune`d model: a neuron whose input weights are zeros and that fires all the same, always as
much, by its bias; and one that is zeros altogether, as those that pad a width."""


def prune(model: LanguageModel) -> None:
    """Zeros the input weights of two neurons in every layer of a tiny GPT-2."""
    with torch.no_grad():
        for block in model.network.transformer.h:
            layer = block.mlp.c_fc
            layer.weight[:, [PRUNED, PADDED]] = 0
            layer.bias[[PRUNED, PADDED]] = torch.tensor([0.7, 0.0])


def random_contexts(n: int, length: int, seed: int = 0, *, last_special: bool = False) -> Contexts:
    """Contexts of random characters behind a first special token."""
    tokens = np.random.default_rng(seed).integers(len(SPECIAL), len(VOCABULARY), (n, length)).astype(np.int32)
    special = np.zeros(length, dtype=bool)
    tokens[:, 0], special[0] = 1, True
    if last_special:
        tokens[:, 0], tokens[:, -1], special[-1] = 4, 5, True
    return Contexts(tokens, np.arange(n, dtype=np.int32), f"random-{seed}", special)
