"""Text in many scripts, and tokenizers that write its characters with several tokens."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
SCRIPTS = {
    "Chinese": "我住在北京，北京是中国的首都。他昨天从上海来到北京看长城。",
    "Japanese": "私は東京に住んでいます。東京は日本の首都で、コンピューターの会社が多い。",
    "Korean": "나는 서울에 산다. 서울은 한국의 수도이고 사람이 많다.",
    "Arabic": "أعيش في مدينة كبيرة، وهذه مدينة جميلة جدًا. مدينة القاهرة (Cairo) قديمة.",
    "Hebrew": "אני גר בעיר ירושלים, ירושלים היא עיר עתיקה.",
    "Persian": "من می\u200cخواهم به تهران بروم و کتاب\u200cها را بخوانم.",
    "Hindi": "मैं हिन्दी बोलता हूँ। हिन्दी भारत की भाषा है और क्षेत्र बड़ा है।",
    "Thai": "ฉันอยู่ที่กรุงเทพ กรุงเทพเป็นเมืองหลวงของประเทศไทย",
    "Russian": "Москва — столица России, и МОСКВА очень большая.",
    "Greek": "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας. ΑΘΗΝΑ!",
    "Turkish": "İstanbul'da ılık bir ırmak var, ISPARTA da güzel.",
    "decomposed": "cafe\u0301 ne\u0301e nai\u0308ve cafe\u0301, \u1112\u1161\u11ab\u1100\u1173\u11af",
    "emoji": "👩\u200d💻 👍🏽 👨\u200d👩\u200d👧 🏳️\u200d🌈 🇯🇵🇫🇷 " + SCOTLAND + " 👩\u200d💻!",
    "stacked": "Z\u0338\u0322\u0328\u0327\u0315\u0301a\u0334\u0321\u0330\u0353\u030el\u0337\u0328\u031bg\u0335o up",
    "hidden": "a\u202eb\u202c zero\u200bwidth ↵ \n ⟨U+202E⟩ \ufffd",
}
"""A few sentences of each, that say some of their words twice."""
N_CTX = 64


def byte_level(size: int = 340) -> PreTrainedTokenizerFast:
    """As GPT-2's, with few tokens: most letters outside ASCII take two."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        show_progress=False,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(SCRIPTS.values(), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>")


def byte_fallback() -> PreTrainedTokenizerFast:
    """As Llama 2's: Latin letters and some Chinese ones are tokens, all others are written in bytes."""
    known = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *map(chr, range(33, 127)), *"北京首都"]
    tokenizer = Tokenizer(
        models.BPE({name: i for i, name in enumerate(known)}, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    replace, strip = decoders.Replace("▁", " "), decoders.Strip(" ", 1, 0)
    tokenizer.decoder = decoders.Sequence([replace, decoders.ByteFallback(), decoders.Fuse(), strip])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>")


def characters_as_tokens() -> PreTrainedTokenizerFast:
    """A token a code point, which no decoder has to put together."""
    known = ["<unk>", "<s>", *sorted({char for text in SCRIPTS.values() for char in text})]
    tokenizer = Tokenizer(models.WordLevel({name: i for i, name in enumerate(known)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>")


TOKENIZERS = {
    "byte level": byte_level,
    "byte fallback": byte_fallback,
    "characters": characters_as_tokens,
}


def make_scripts_model(folder: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    """Save a random GPT-2 of this tokenizer in a folder."""
    torch.manual_seed(0)
    sizes = {"n_embd": 24, "n_inner": 40, "n_layer": 2, "n_head": 2, "n_positions": N_CTX}
    network = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=0, **sizes))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_scripts(path: Path, repeats: int = 15) -> Path:
    """Write a text of all scripts, in several orders."""
    texts = list(SCRIPTS.values())
    path.write_text(" ".join(" ".join(texts[i:] + texts[:i]) for i in range(repeats)), encoding="utf-8")
    return path
