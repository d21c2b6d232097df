"""The embedded language model: from a quantized GGUF file to a Hugging Face folder that opens offline in a second."""

from pathlib import Path


def convert(files: list[Path], folder: Path) -> None:
    """Save the model and tokenizer in `files[0]` as float32 safetensors and JSON.

    Takes about 20 s and 1.5 GB of memory. The GGUF file is not kept: the converted folder says the same in the form
    that is used, and 98 MB are saved. float32 because no 16-bit type holds the de-quantized weights exactly.
    """
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    where, name = files[0].parent, files[0].name
    quantized = AutoModelForCausalLM.from_pretrained(where, gguf_file=name, dtype=torch.float32, local_files_only=True)
    settings = quantized.config.to_dict()
    # a model that remembers its quantization refuses to be saved
    settings.pop("quantization_config", None)
    settings.pop("_model_name_or_path", None)
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**settings))
    model.load_state_dict(quantized.state_dict(), assign=True)
    model.tie_weights()
    model.save_pretrained(folder)

    tokenizer = AutoTokenizer.from_pretrained(where, gguf_file=name, local_files_only=True)
    # The GGUF file names its pre-tokenizer ("smollm"), transformers takes GPT-2's for all: SmolLM also splits digits.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.save_pretrained(folder)
