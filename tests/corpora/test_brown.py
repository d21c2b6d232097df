"""Brown's tagged words as plain text: invented snippets with known answers, then the whole corpus."""

from __future__ import annotations

import re

import pytest

from nbkit import assets
from nbkit.corpora.brown import brown_texts, detokenize


def tagged(words: str) -> str:
    """Give each word a tag, as Brown's files have it."""
    return " ".join(f"{word}/nn" for word in words.split())


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("The cat , it sat .", "The cat, it sat."),
        ("It sat ; ; then it ran : fast .", "It sat; then it ran: fast."),
        ("Why ? ? Stop ! ! Go !", "Why? Stop! Go!"),
        ("Help ! ! ! !", "Help!!"),
        ("Section 2 : : Fees", "Section 2: Fees"),
        ("`` Come in '' , he said .", '"Come in," he said.'),
        ("He said : `` Come in '' .", 'He said: "Come in."'),
        ("`` Why '' ? ? He asked .", '"Why?" He asked.'),
        ("`` One '' ; ; `` two '' -- and three", '"One"; "two" -- and three'),
        ("`` Stop ! ! '' , he said", '"Stop!", he said'),
        ("`` He said ' go ' '' , I said", "\"He said 'go,'\" I said"),
        ("more ' pro ' letters than ' con ' on it", "more 'pro' letters than 'con' on it"),
        ("`` ' Now ' '' .", "\"'Now.'\""),
        ("the boys ' , she said", "the boys,' she said"),
        ("rock 'n' roll in the '50's", "rock 'n' roll in the '50's"),
        ("Ivan Allen Jr. .", "Ivan Allen Jr."),
        ("`` the U.S. '' . So", '"the U.S." So'),
        ("a house ( old ) , [ really ] , on a hill ( big ) .", "a house (old), [really], on a hill (big)."),
        ("`` a goal ) '' . It", '"a goal)." It'),
        ("$ 5 is $5.50 or 8-1/2% , he'd say , can't he ? ?", "$ 5 is $5.50 or 8-1/2%, he'd say, can't he?"),
        ("Known -- to some -- as Al", "Known -- to some -- as Al"),
        ("over-all 5- and 6-inch pipes in 1960 - 1962", "over-all 5- and 6-inch pipes in 1960-1962"),
        ("counts / minute of and/or 1/2", "counts/minute of and/or 1/2"),
        ("bars 1/8'' '' by 10'' '' , 4' long", 'bars 1/8" by 10", 4\' long'),
        ("at 42-degrees-F. or 90-degrees , 32*0C.", "at 42°F. or 90°, 32°C."),
        ("CuK**ya , 5 m**ym , 2 **ymg , curve **zg , **yx", "CuKα, 5 mμ, 2 μg, curve Γ, **yx"),
        ("Luke 2 : 4 , at 4:30 p.m. .", "Luke 2:4, at 4:30 p.m."),
        ("A & P .", "A & P."),
    ],
)
def test_words_become_text(words: str, text: str) -> None:
    assert detokenize(tagged(words)) == text


def test_the_tag_is_what_follows_the_last_slash() -> None:
    assert detokenize("half/abn 1/2/cd ,/, counts/nns //in minute/nn ./.-hl") == "half 1/2, counts/minute."


def test_sentences_of_a_paragraph_share_a_line() -> None:
    raw = "\n\n\tOne/cd ./.\nTwo/cd ./.\n\n\n\tThree/cd ./.\n\n"
    assert detokenize(raw) == "One. Two.\nThree."


def test_headings_stand_alone() -> None:
    raw = "\n\n\nNew/jj-hl park/nn-hl planned/vbn-hl \nThe/at city/nn said/vbd ./.\n\n\tMore/ap ./."
    assert detokenize(raw) == "New park planned\nThe city said.\nMore."
    untagged = "\n\nSmall/jj business/nn management/nn \nPractical/jj problems/nns ./."
    assert detokenize(untagged) == "Small business management\nPractical problems."


def test_an_unfinished_line_goes_on() -> None:
    assert detokenize("He/pps said/vbd :/: \nStop/vb !/. !/.") == "He said: Stop!"
    assert detokenize("Austin/np-hl ,/,-hl Texas/np-hl \n--/-- A/at man/nn") == "Austin, Texas -- A man"
    assert (
        detokenize("Oslo/np-hl ,/,-hl May/np-hl 1/cd-hl --/-- (/( AP/np )/) \nA/at man/nn")
        == "Oslo, May 1 -- (AP) A man"
    )


def test_the_number_of_an_item_begins_its_line() -> None:
    raw = "Because/cs :/: 1/cd ./.\n\n\tA/at thing/nn ./.\n2/cd ./.\n\n\tAnother/dt ./.\n(/( 3/cd )/) \n\n\tLast/ap ./."
    assert detokenize(raw) == "Because: 1.\nA thing.\n2. Another.\n(3) Last."


def test_a_torn_quote_goes_back_to_its_text() -> None:
    raw = "It/pps reads/vbz :/: ``/``\n\n\n\tStop/vb ./.\n\n''/'' \nHe/pps .22-caliber/jj ./."
    assert detokenize(raw) == 'It reads: "Stop." He .22-caliber.'
    assert detokenize("One/cd ./.\n\n\t.22/cd rifles/nns ./.") == "One.\n.22 rifles."


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(brown_texts(assets.fetch("brown")))


def test_the_corpus_reads_like_ordinary_text(texts: list[str]) -> None:
    assert len(texts) == 500
    assert sum(map(len, texts)) == pytest.approx(5.96e6, rel=0.002)
    everything = "\n".join(texts)
    assert re.findall(r"``|''|\t|\r|  | \n|\n\n", everything) == []
    assert re.findall(r"/(?:nn|vb|jj|at|np|cs|cc)[^a-z]", everything) == []  # no tag left
    # punctuation apart from its word, but for ".22" and the few words that begin with a stop
    assert re.findall(r"[\w\"] [,;:?!)\]](?=\s)|[(\[] | '(?=\s)", everything) == []
    assert len(re.findall(r' "(?=\s)', everything)) < 5
    assert re.findall(r"([;:?])\1", everything) == [";"]  # the one that was doubled before the corpus doubled it
    # the quotes of a text open and close: none is torn off or turned
    assert sum(text.count('"') % 2 for text in texts) < 100
    assert all(text and text == text.strip() for text in texts)
