"""The architectures that transformers can make at random, and where in each of them what is: written by hand, as an
oracle for what `nbkit.models` finds by looking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from tests.examples.tiny_models import VOCABULARY

WIDTH, NEURONS, LENGTH = 24, 40, 64
TOKENS = {"vocab_size": len(VOCABULARY), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
USUAL = {
    "hidden_size": WIDTH,
    "intermediate_size": NEURONS,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": LENGTH,
    **TOKENS,
}
GROUPED = USUAL | {"num_key_value_heads": 1}
HEADED = GROUPED | {"head_dim": 12}
SHORT = {"n_embd": WIDTH, "n_layer": 2, "n_head": 2, "n_positions": LENGTH, **TOKENS}
XGLM = {"d_model": WIDTH, "ffn_dim": NEURONS, "num_layers": 2, "attention_heads": 2, "max_position_embeddings": LENGTH}
EXPERTS = {"num_local_experts": 2, "num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 16}

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "relu": functional.relu,
    "relu2": lambda x: functional.relu(x).square(),
}


@dataclass(frozen=True)
class Architecture:
    """A class of transformers, a tiny config of it, and the names of its modules."""

    kind: str
    config: dict[str, Any]
    blocks: str = "model.layers"
    reader: str = "mlp.up_proj"
    """Whose output, or the second half of it, is the linear pre-activation."""
    out: str = "mlp.down_proj"
    gate: str | None = None
    function: str = "silu"
    halves: bool = False
    """Whether gate and linear branch are the halves of one layer's output, in this order."""
    final: str | None = None
    """The final norm, where a direct way to the logits exists."""
    norm: str = "rms"
    """Its kind, `rms` or `layer`."""
    offset: float = 0.0
    """By which the norms' scales exceed their weights."""
    behind: str | None = None
    """The norm behind the MLP."""
    share: float = 1.0
    """By which the MLP's output is multiplied."""
    causal: bool = True

    def make(self) -> PreTrainedModel:
        return make_network(self.kind, self.config)


def make_network(kind: str, config: dict[str, Any]) -> PreTrainedModel:
    """A random network with every parameter non-trivial."""
    import transformers

    torch.manual_seed(0)
    chosen = getattr(transformers, kind)
    network: PreTrainedModel = chosen(chosen.config_class(**config)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


def gated(kind: str, config: dict[str, Any] = GROUPED, **changes: Any) -> Architecture:
    """Like Llama, but for `changes`."""
    usual = {"gate": "mlp.gate_proj", "final": "model.norm"}
    return Architecture(kind, config, **usual | changes)


def bert(kind: str, prefix: str, **changes: Any) -> Architecture:
    """Like BERT, but for `changes`."""
    names = {"blocks": f"{prefix}encoder.layer", "reader": "intermediate.dense", "out": "output.dense"}
    return Architecture(kind, **{"config": USUAL, "function": "gelu", "causal": False, **names} | changes)


def gpt(kind: str, config: dict[str, Any], **changes: Any) -> Architecture:
    """Like GPT-2, but for `changes`."""
    names = {"blocks": "transformer.h", "reader": "mlp.c_fc", "out": "mlp.c_proj", "final": "transformer.ln_f"}
    return Architecture(kind, config, **{"function": "tanh", "norm": "layer", **names} | changes)


POST = {"behind": "post_feedforward_layernorm"}
GEMMA = {"function": "tanh", "offset": 1.0}
FUSED = {"reader": "mlp.gate_up_proj", "gate": "mlp.gate_up_proj", "halves": True}
PLAIN = {"gate": None}
OPT = {"hidden_size": WIDTH, "ffn_dim": NEURONS, "num_hidden_layers": 2, "num_attention_heads": 2} | TOKENS
OPT |= {"max_position_embeddings": LENGTH, "word_embed_proj_dim": WIDTH}
FOUR = {"reader": "mlp.dense_h_to_4h", "out": "mlp.dense_4h_to_h", "gate": None, "norm": "layer"}
GPT_J = {"reader": "mlp.fc_in", "out": "mlp.fc_out"}
MODERN = {"blocks": "model.layers", "reader": "mlp.Wi", "gate": "mlp.Wi", "out": "mlp.Wo", "halves": True}
NEO = {"num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]]}
DISTIL = {"dim": WIDTH, "hidden_dim": NEURONS, "n_layers": 2, "n_heads": 2, "max_position_embeddings": LENGTH}

ARCHITECTURES = [
    gpt("GPT2LMHeadModel", SHORT | {"n_inner": NEURONS}),
    gpt("GPTBigCodeForCausalLM", SHORT | {"n_inner": NEURONS}),
    gpt("GPTNeoForCausalLM", USUAL | NEO),
    gpt("GPTJForCausalLM", SHORT | {"n_inner": NEURONS, "rotary_dim": 4}, **GPT_J),
    gpt("CodeGenForCausalLM", SHORT | {"n_inner": NEURONS, "rotary_dim": 4, "n_head": 4}, **GPT_J),
    gpt("OpenAIGPTLMHeadModel", SHORT, final=None),
    gpt(
        "CTRLLMHeadModel",
        SHORT | {"dff": NEURONS},
        reader="ffn.0",
        out="ffn.2",
        function="relu",
        final="transformer.layernorm",
    ),
    gpt("BloomForCausalLM", {"hidden_size": WIDTH, "n_layer": 2, "n_head": 2} | TOKENS, **FOUR),
    gpt("FalconForCausalLM", USUAL | {"ffn_hidden_size": NEURONS}, **FOUR | {"function": "gelu"}),
    gpt(
        "FalconForCausalLM",
        USUAL | {"ffn_hidden_size": NEURONS, "new_decoder_architecture": True, "num_kv_heads": 1},
        **FOUR | {"function": "gelu"},
    ),
    gpt(
        "MptForCausalLM",
        {"d_model": WIDTH, "n_layers": 2, "n_heads": 2, "max_seq_len": LENGTH, "expansion_ratio": 2} | TOKENS,
        blocks="transformer.blocks",
        reader="ffn.up_proj",
        out="ffn.down_proj",
        function="gelu",
        final="transformer.norm_f",
    ),
    gpt(
        "GPTNeoXForCausalLM",
        USUAL,
        **FOUR | {"function": "gelu", "blocks": "gpt_neox.layers", "final": "gpt_neox.final_layer_norm"},
    ),
    gpt(
        "GPTNeoXForCausalLM",
        USUAL | {"use_parallel_residual": False},
        **FOUR | {"function": "gelu", "blocks": "gpt_neox.layers", "final": "gpt_neox.final_layer_norm"},
    ),
    Architecture(
        "OPTForCausalLM",
        OPT,
        "model.decoder.layers",
        "fc1",
        "fc2",
        function="relu",
        final="model.decoder.final_layer_norm",
        norm="layer",
    ),
    Architecture(
        "XGLMForCausalLM",
        XGLM | TOKENS,
        "model.layers",
        "fc1",
        "fc2",
        None,
        "gelu",
        final="model.layer_norm",
        norm="layer",
    ),
    Architecture(
        "BioGptForCausalLM", USUAL, "biogpt.layers", "fc1", "fc2", None, "gelu", final="biogpt.layer_norm", norm="layer"
    ),
    Architecture(
        "PhiForCausalLM",
        USUAL,
        reader="mlp.fc1",
        out="mlp.fc2",
        function="tanh",
        final="model.final_layernorm",
        norm="layer",
    ),
    Architecture("PersimmonForCausalLM", USUAL, **FOUR | {"function": "relu2", "final": "model.final_layernorm"}),
    gated("LlamaForCausalLM"),
    gated("LlamaForCausalLM", GROUPED | {"mlp_bias": True, "attention_bias": True, "tie_word_embeddings": True}),
    gated("LlamaForSequenceClassification", final=None),
    gated("MistralForCausalLM", HEADED),
    gated("MinistralForCausalLM", HEADED),
    gated("Phi3ForCausalLM", **FUSED),
    gated("GemmaForCausalLM", HEADED, **GEMMA),
    gated("Gemma2ForCausalLM", HEADED | {"attn_logit_softcapping": 0.5}, **GEMMA, **POST),
    gated("Gemma3ForCausalLM", HEADED, **GEMMA, **POST),
    gated("VaultGemmaForCausalLM", HEADED, **GEMMA),
    gated(
        "RecurrentGemmaForCausalLM",
        USUAL | {"intermediate_size": 2 * NEURONS, "lru_width": WIDTH, "block_types": ["recurrent", "attention"]},
        reader="mlp_block.up_proj",
        gate="mlp_block.gate_proj",
        out="mlp_block.down_proj",
        final="model.final_norm",
        **GEMMA,
    ),
    gated("Qwen2ForCausalLM"),
    gated("Qwen3ForCausalLM", HEADED),
    gated("OlmoForCausalLM", norm="layer"),
    gated("Olmo2ForCausalLM", **POST),
    gated("Olmo3ForCausalLM", **POST),
    gated("StableLmForCausalLM", GROUPED | {"partial_rotary_factor": 0.5}, norm="layer"),
    gated("GlmForCausalLM", HEADED, **FUSED),
    gated("Glm4ForCausalLM", HEADED, **FUSED, behind="post_mlp_layernorm"),
    gated("CohereForCausalLM", norm="layer"),
    gated("Cohere2ForCausalLM", HEADED, norm="layer"),
    gated("SmolLM3ForCausalLM"),
    gated("GraniteForCausalLM", GROUPED | {"residual_multiplier": 0.5, "embedding_multiplier": 2.0}, share=0.5),
    gated("SeedOssForCausalLM", HEADED),
    gated("HeliumForCausalLM", HEADED),
    gated("Exaone4ForCausalLM", HEADED, **POST),
    gated("Ernie4_5ForCausalLM", HEADED),
    gated("HunYuanDenseV1ForCausalLM", HEADED),
    gated("Starcoder2ForCausalLM", reader="mlp.c_fc", out="mlp.c_proj", function="tanh", norm="layer", **PLAIN),
    gated("NemotronForCausalLM", HEADED, function="relu2", norm="layer", offset=1.0, **PLAIN),
    gated("ArceeForCausalLM", HEADED, function="relu2", **PLAIN),
    gated("NanoChatForCausalLM", reader="mlp.fc1", out="mlp.fc2", function="relu2", **PLAIN),
    gated(
        "Lfm2ForCausalLM",
        GROUPED | {"layer_types": ["full_attention", "conv"], "block_auto_adjust_ff_dim": False},
        reader="feed_forward.w3",
        gate="feed_forward.w1",
        out="feed_forward.w2",
        final="model.embedding_norm",
    ),
    Architecture("ModernBertDecoderForCausalLM", USUAL, **MODERN, function="gelu"),
    Architecture("ModernBertForMaskedLM", USUAL, **MODERN, function="gelu", causal=False),
    bert("BertForMaskedLM", "bert."),
    bert("BertModel", ""),
    bert("BertForSequenceClassification", "bert."),
    bert("BertLMHeadModel", "bert.", config=USUAL | {"is_decoder": True}, causal=True),
    bert("RobertaForMaskedLM", "roberta."),
    bert("XLMRobertaForMaskedLM", "roberta."),
    bert("CamembertForMaskedLM", "roberta."),
    bert("ElectraForMaskedLM", "electra.", config=USUAL | {"embedding_size": WIDTH}),
    bert("MPNetForMaskedLM", "mpnet."),
    bert("DebertaV2ForMaskedLM", "deberta."),
    bert(
        "DistilBertForMaskedLM",
        "",
        config=DISTIL | TOKENS,
        blocks="distilbert.transformer.layer",
        reader="ffn.lin1",
        out="ffn.lin2",
    ),
    Architecture(
        "T5EncoderModel",
        {"d_model": WIDTH, "d_ff": NEURONS, "num_layers": 2, "num_heads": 2, "d_kv": 12} | TOKENS,
        "encoder.block",
        "layer.1.DenseReluDense.wi",
        "layer.1.DenseReluDense.wo",
        function="relu",
        causal=False,
    ),
]

MAMBA = {"hidden_size": WIDTH, "num_hidden_layers": 2, "state_size": 4} | TOKENS
ENCODER_DECODER = {
    "d_model": WIDTH,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
} | TOKENS
FUNNEL = {"d_model": WIDTH, "n_head": 2, "d_head": 12, "d_inner": NEURONS, "block_sizes": [1, 1]} | TOKENS

REFUSED = [
    *[
        (kind, GROUPED | EXPERTS | changes, "layer 0 is a mixture of experts")
        for kind, changes in (
            ("MixtralForCausalLM", {}),
            ("Qwen2MoeForCausalLM", {"shared_expert_intermediate_size": 16}),
            ("Qwen3MoeForCausalLM", {"head_dim": 12}),
            ("OlmoeForCausalLM", {}),
            ("GraniteMoeForCausalLM", {}),
            ("JetMoeForCausalLM", {}),
            ("PhimoeForCausalLM", {}),
            ("GptOssForCausalLM", {"head_dim": 12}),
        )
    ],
    ("Qwen2MoeForCausalLM", GROUPED | EXPERTS | {"mlp_only_layers": [0]}, "layer 1 is a mixture of experts"),
    (
        "T5ForConditionalGeneration",
        {"d_model": WIDTH, "num_layers": 2, "num_heads": 2} | TOKENS,
        "an encoder and a decoder",
    ),
    ("BartForConditionalGeneration", ENCODER_DECODER, "an encoder and a decoder"),
    ("MambaForCausalLM", MAMBA, "layer 0 has no such MLP"),
    ("AlbertForMaskedLM", USUAL | {"embedding_size": WIDTH}, "not one list of modules that run once each"),
    (
        "XLNetLMHeadModel",
        {"d_model": WIDTH, "d_inner": 40, "n_layer": 2, "n_head": 2} | TOKENS,
        "contexts of a batch apart",
    ),
    ("ApertusForCausalLM", HEADED, "layer 0 has no such MLP"),  # its activation function has weights
    ("BitNetForCausalLM", GROUPED, "layer 0 has no such MLP"),  # a norm stands between activations and output
    ("FunnelForMaskedLM", FUNNEL, "not one list of modules that run once each"),
    ("ViTModel", {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2}, "doesn't read tokens alone"),
]
