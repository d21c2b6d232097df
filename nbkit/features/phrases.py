"""The words and phrases that each feature of an atlas answers to, as an index to search in.

Of a dataset example these are its *phrases*: the key token; the word that contains it; that word with the one before,
with the one after, and with the two before; each word of a key token that holds several, as a whole text does; and in
a script without spaces the runs of characters that it has a part in (see `runs_around`). A feature is found by a
phrase that at least two of its examples have. Of a feature with fewer than four examples every key token and its word
count, since there is little to repeat.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.tokens import token_positions
from nbkit.features.spelling import spelling_of
from nbkit.features.table import features_of
from nbkit.features.unspaced import runs_around
from nbkit.features.words import Words, normalized, words_of
from nbkit.parallel.pool import gather

PHRASES = "phrases.parquet"
REPEATED = 2
"""Examples of a feature that have a phrase."""
SMALL_FEATURE = 4
"""A feature of fewer examples is found by any key token and word."""
LONGEST_PHRASE = 60
"""Characters; nobody types more."""


def phrases_of(atlas: Atlas, progress: bool = True) -> pd.DataFrame:
    """The index of an atlas's phrases. Made on first demand and kept in the atlas's folder.

    Returns:
        `phrase` (normalized, see `normalized`), `feature` (a row of `features_of`), and `count`, how
        many of its examples have the phrase. Phrases are in the order of code points. Of one phrase the feature comes
        first that has it most often and to the exclusion of others: by count * count / size.

    Raises:
        NbkitError: if the table can't be written.
    """
    return atlas.kept.table(PHRASES, lambda: _index(atlas, progress))


def _index(atlas: Atlas, progress: bool) -> pd.DataFrame:
    size = features_of(atlas, progress)["size"].to_numpy()
    examples = _examples(atlas, progress)
    contexts, context = np.unique(examples["context"], return_inverse=True)
    examples["context"] = context
    spelling = spelling_of(atlas, contexts)
    words = words_of(spelling)
    strings = dict(zip(words.strings, range(len(words.strings)), strict=True))
    spellings = [*_phrases(words, examples), _words_within(words, examples, strings)]
    for rows, runs in runs_around(spelling, examples):
        places = [strings.setdefault(normalized(run), len(strings)) for run in runs]
        spellings.append((rows, np.array(places, dtype=np.int64)[:, None]))
    found = [
        _counted(list(strings), rows, examples["feature"].to_numpy()[rows], spelled, size)
        for rows, spelled in spellings
    ]
    table = pd.concat(found).groupby(["phrase", "feature"], as_index=False)["count"].max()  # two spellings read alike
    table = table[table["phrase"].str.len() <= LONGEST_PHRASE].astype({"feature": "int32", "count": "int32"})
    table["share"] = table["count"] ** 2 / size[table["feature"]]
    table = table.sort_values(["phrase", "share", "feature"], ascending=[True, False, True], ignore_index=True)
    ordered: pd.DataFrame = table[["phrase", "feature", "count"]]
    return ordered


def _phrases(words: Words, examples: pd.DataFrame) -> list[tuple[Int[np.ndarray, " m"], Int[np.ndarray, "m parts"]]]:
    """Every example's phrases: those of one, of two and of three words.

    Returns:
        For each length the example of every phrase, and its spelling: a text, and for every further word whether a
        space stands before it and its text.
    """
    where = examples["context"].to_numpy(), examples["position"].to_numpy()
    word = words.number[where]
    before, after = words.before[word], words.after[word]
    second = np.where(before >= 0, words.before[before], -1)
    every, led, followed, led_twice = np.arange(len(word)), *(np.flatnonzero(w >= 0) for w in (before, after, second))

    def spelled(*run: Int[np.ndarray, " m"]) -> Int[np.ndarray, "m parts"]:
        parts = [part for one in run[1:] for part in (words.spaced[one], words.text[one])]
        return np.stack([words.text[run[0]], *parts], axis=1)

    return [
        (np.tile(every, 2), np.concatenate([words.token[where], words.text[word]])[:, None]),
        (
            np.concatenate([led, followed]),
            np.concatenate([spelled(before[led], word[led]), spelled(word[followed], after[followed])]),
        ),
        (led_twice, spelled(second[led_twice], before[led_twice], word[led_twice])),
    ]


def _words_within(
    words: Words, examples: pd.DataFrame, strings: dict[str, int]
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, "m 1"]]:
    """The words of key tokens that hold several, in the form of `_phrases`; new ones are added to `strings`."""
    tokens = words.token[examples["context"].to_numpy(), examples["position"].to_numpy()]
    within = {
        token: [strings.setdefault(word, len(strings)) for word in dict.fromkeys(words.strings[token].split(" "))]
        for token in np.unique(tokens).tolist()
        if " " in words.strings[token]
    }
    found = [(row, place) for row, token in enumerate(tokens.tolist()) for place in within.get(token, [])]
    rows, places = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return rows, places[:, None]


def _counted(
    strings: list[str],
    example: Int[np.ndarray, " m"],
    feature: Int[np.ndarray, " m"],
    spelled: Int[np.ndarray, "m parts"],
    size: Int[np.ndarray, " n_features"],
) -> pd.DataFrame:
    """The phrases of one length that count, with how many examples of each feature have them."""
    code = spelled[:, 0]
    for part in spelled.T[1:]:
        code = pd.factorize(code)[0] * (int(part.max(initial=0)) + 1) + part  # a number for each spelling so far
    rows = pd.DataFrame({"feature": feature, "code": pd.factorize(code)[0], "example": example}).drop_duplicates()
    counts = rows.groupby(["feature", "code"], as_index=False).size().rename(columns={"size": "count"})
    enough = counts["count"] >= REPEATED
    if spelled.shape[1] == 1:
        enough |= size[counts["feature"]] < SMALL_FEATURE
    counts = counts[enough]
    codes, which = np.unique(counts.pop("code"), return_inverse=True)
    spellings = spelled[~pd.Series(code).duplicated()][codes]  # factorize numbers them as they first occur
    texts = [_text(strings, row) for row in spellings]
    return counts.assign(phrase=np.array(texts, dtype=object)[which])


def _text(strings: list[str], spelling: Int[np.ndarray, " parts"]) -> str:
    text: str = strings[spelling[0]]
    for space, word in zip(spelling[1::2], spelling[2::2], strict=True):
        text += " " * int(space) + strings[word]
    return text


def _examples(atlas: Atlas, progress: bool) -> pd.DataFrame:
    """Every dataset example of the atlas with its feature: `feature`, `context`, `position`."""
    features = features_of(atlas, progress)
    firsts = features[features["place"] == 0].reset_index(names="feature").set_index(["layer", "index"])["feature"]
    tasks = [(atlas, layer, firsts.get(layer)) for layer in atlas.layers]
    table: pd.DataFrame = pd.concat(
        gather(_examples_of_layer, tasks, atlas.n_neurons, "phrases", "layer", progress), ignore_index=True
    )
    return table


def _examples_of_layer(atlas: Atlas, layer: int, firsts: pd.Series) -> pd.DataFrame:
    rows = []
    for neuron in atlas.iterate(layer):
        if not len(neuron) or not neuron.has_direction():
            continue
        feature = firsts[neuron.index] + neuron.clusters().labels
        rows.append(np.stack([feature, neuron.context, token_positions(neuron.position, atlas.manifest.length)]))
    columns = ["feature", "context", "position"]
    return pd.DataFrame(np.hstack([np.empty((3, 0), dtype=np.int64), *rows]).T, columns=columns)
