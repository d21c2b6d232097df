"""Brown's tags at a model's tokens: hand-made documents and a tokenizer of a few words."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from nbkit.corpora import Contexts, load_contexts
from nbkit.corpora.brown_tags import tagged_text
from nbkit.errors import NbkitError
from nbkit.studies.shared.planted.labeled_contexts import LabeledContexts, label_contexts, labels_of

WORDS = [
    "the",
    "cat",
    "run",
    "runs",
    "a",
    "in",
    "house",
    "and",
    "then",
    "it",
    "far",
    "go",
    ".",
    ",",
    '"',
    "un",
    "##known",
]
DOCUMENTS = [
    tagged_text("the/at cat/nn runs/vbz ,/, and/cc then/rb it/pps run/vb far/rb ./.\n" * 2, "news"),
    tagged_text("too/ql short/jj", "news"),
    tagged_text("``/`` the/at unknown/jj run/nn ''/'' ,/, a/at house/nn far/rb in/in the/at run/nn ./.", "fiction"),
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """Whole words, and one that is in two pieces."""
    names = ["[UNK]", "[CLS]", "[SEP]", *WORDS]
    words = Tokenizer(models.WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")


@pytest.fixture(scope="module")
def contexts(tokenizer: Any) -> Contexts:
    model = SimpleNamespace(tokenizer=tokenizer, n_ctx=64, name="words", vocabulary_sha256="")
    return load_contexts([each.text for each in DOCUMENTS], model, length=8, name="brown")


@pytest.fixture(scope="module")
def labeled(contexts: Contexts, tokenizer: Any) -> LabeledContexts:
    return labels_of(contexts, tokenizer, DOCUMENTS)


def test_a_token_is_labeled_with_the_word_that_it_is(labeled: LabeledContexts) -> None:
    assert labeled.contexts.documents.tolist() == [0, 0, 2]
    assert labeled.word.tolist() == [
        ["the", "cat", "runs", "", "and", "then", "it", "run"],
        ["far", "", "the", "cat", "runs", "", "and", "then"],
        ["", "the", "", "", "run", "", "", "a"],
    ]
    assert labeled.tag[0].tolist() == ["at", "nn", "vbz", "", "cc", "rb", "pps", "vb"]
    assert labeled.tag[2, 4] == "nn"
    assert labeled.genre.tolist() == ["news", "news", "fiction"]
    assert labeled.place[1, :5].tolist() == [7, -1, 0, 1, 2]
    assert labeled.left[0, :3].tolist() == [7, 6, 5]
    assert labeled.quoted[2].tolist() == [False, True, False, False, True, False, False, False]
    np.testing.assert_array_equal(labeled.has_word, labeled.word != "")


def test_added_tokens_have_no_word(labeled: LabeledContexts, tokenizer: Any) -> None:
    encoder = copy.deepcopy(tokenizer)
    encoder.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    long = [tagged_text("the/at cat/nn runs/vbz ,/, and/cc then/rb it/pps run/vb far/rb ./.\n" * 5, "news")]
    model = SimpleNamespace(tokenizer=encoder, n_ctx=64, name="encoder", vocabulary_sha256="")
    contexts = load_contexts([each.text for each in long], model, length=10)
    found = labels_of(contexts, encoder, long)
    assert found.word.shape == (6, 10)
    assert not found.has_word[:, [0, -1]].any()
    np.testing.assert_array_equal(found.word[:2, 1:-1], labeled.word[:2])
    np.testing.assert_array_equal(found.word[5, 1:-1], found.word[0, 1:-1])


def test_what_has_no_label_is_counted(labeled: LabeledContexts) -> None:
    assert labeled.words == 2 * 8 + 2 + 9
    assert labeled.lost == 0
    assert labeled.in_pieces == 1, "un ##known; what is unknown to the tokenizer is one token"


def test_labels_are_those_of_a_slow_search(labeled: LabeledContexts, tokenizer: Any) -> None:
    for number, document in enumerate(DOCUMENTS):
        rows = np.flatnonzero(labeled.contexts.documents == number)
        ids, words = labeled.contexts.tokens[rows].ravel(), labeled.word[rows].ravel()
        left = list(document.words)
        for token, word in zip(tokenizer.convert_ids_to_tokens(ids.tolist()), words, strict=True):
            if word:
                while left[0].word != word:
                    left.pop(0)
                assert token == word == left.pop(0).word


def test_some_of_the_contexts_keep_their_labels(labeled: LabeledContexts) -> None:
    some = labeled.take(np.array([2, 0]))
    assert some.contexts.documents.tolist() == [2, 0]
    assert some.genre.tolist() == ["fiction", "news"]
    np.testing.assert_array_equal(some.word, labeled.word[[2, 0]])
    np.testing.assert_array_equal(some.contexts.tokens, labeled.contexts.tokens[[2, 0]])


def test_contexts_of_another_text_are_refused(contexts: Contexts, tokenizer: Any) -> None:
    documents = [DOCUMENTS[2], *DOCUMENTS[1:]]
    with pytest.raises(NbkitError, match="contexts of document 0 don't hold its text"):
        labels_of(contexts, tokenizer, documents)


def test_texts_of_brown_are_drawn_over_all_genres(tokenizer: Any) -> None:
    model = SimpleNamespace(tokenizer=tokenizer, n_ctx=64, name="words", vocabulary_sha256="")
    labeled = label_contexts(model, length=32, documents=12, seed=1)
    assert len(np.unique(labeled.contexts.documents)) == 12
    assert len(set(labeled.genre)) > 5
    assert labeled.contexts.name == "brown"
    assert set(labeled.tag[labeled.word == "house"]) <= {"nn", "vb"}
    again = label_contexts(model, length=32, documents=12, seed=1)
    assert again.contexts.sha256 == labeled.contexts.sha256
    with pytest.raises(NbkitError, match="documents"):
        label_contexts(model, documents=501)
