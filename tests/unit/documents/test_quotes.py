import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from combine.documents.quotes import contains_quote, fold, long_enough

WORDS = st.lists(
    st.text(st.characters(categories=["L", "N", "Pd", "Po"]), min_size=1, max_size=9).filter(
        lambda w: any(c.isalnum() for c in w)
    ),
    min_size=3,
    max_size=20,
)


@st.composite
def slices(draw):
    words = draw(WORDS)
    start = draw(st.integers(0, len(words) - 3))
    end = draw(st.integers(start + 3, len(words)))
    space = draw(st.sampled_from([" ", "  ", "\n", "\u00a0", "\t "]))
    return space.join(words), " ".join(words[start:end])


@given(slices())
def test_any_slice_of_a_sentence_is_found_in_it(pair):
    text, quote = pair
    assert contains_quote(text, quote)


@given(slices())
def test_any_slice_is_found_in_other_case_too(pair):
    text, quote = pair
    assume(quote.upper().casefold() == quote.casefold())
    assert contains_quote(text, quote.upper())


@given(WORDS, st.data())
def test_a_slice_with_an_altered_word_is_not_found(words, data):
    at = data.draw(st.integers(0, len(words) - 1))
    altered = [*words[:at], "zqxzqx", *words[at + 1 :]]
    assert not contains_quote(" ".join(words), " ".join(altered))


@given(WORDS, st.data())
def test_a_slice_that_leaves_a_word_out_is_not_found(words, data):
    assume(len(words) > 3 and len({fold(w) for w in words}) == len(words))
    at = data.draw(st.integers(1, len(words) - 2))
    shorter = " ".join([*words[:at], *words[at + 1 :]])
    assume(fold(shorter) not in fold(" ".join(words)))
    assert not contains_quote(" ".join(words), shorter)


@given(st.text())
def test_folding_twice_changes_nothing_more(text):
    assert fold(fold(text)) == fold(text)


FOUND = {
    "typographic quotes": ('We call it "the day book" here.', "it \u201cthe day book\u201d"),
    "german quotes": ("Wir nennen es „Tagesliste“ im Laden.", "es \u00bbTagesliste\u00ab im Laden"),
    "dashes": ("Open 9\u201317, Monday\u2014Friday only", "9-17, Monday-Friday only"),
    "line break": ("choose a\n  pickup\r\ntime", "a pickup time"),
    "no-break space": ("at most 25\u00a0cakes a day", "25 cakes a day"),
    "composed and decomposed": ("für das Café heute", "fu\u0308r das Cafe\u0301"),
    "ligature and width": ("the ﬁrst \uff21\uff22\uff23 order", "the first ABC order"),
    "half-width kana with a mark": ("ｶﾞｿﾘﾝの予約を受け付ける", "ガソリンの予約"),
    "soft hyphen": ("Liefer\u00adung nur am Montag", "Lieferung nur am Montag"),
    "outer punctuation": ("It loses some of them.", "'loses some of them.'"),
    "final dot where a comma stands": ("live by March, or later", "live by March."),
    "japanese inside a sentence": ("ケーキの予約は前日までにお願いします。", "予約は前日までに"),
    "arabic": ("يجب حذف بيانات العملاء بعد تسعين يوما", "بيانات العملاء بعد"),
    "sharp s": ("In der Hauptstraße steht das Haus", "der Hauptstrasse steht"),
    "second place": ("12 cakes a day or 2 cakes a day", "2 cakes a day"),
}
NOT_FOUND = {
    "another word": ("Customers may request a cake", "Customers can request a cake"),
    "part of a word": ("we sell pancakes every day", "cakes every day"),
    "part of a number": ("at most 250 cakes", "at most 25"),
    "the end of a number": ("125 cakes a day", "25 cakes a day"),
    "the part after a decimal point": ("1.25 cakes per hour", "25 cakes per hour"),
    "the part before a decimal comma": ("costs about 1,5 million", "costs about 1"),
    "superscript": ("a room of 25² metres is big", "a room of 252 metres"),
    "fraction": ("takes 1½ days of work", "takes 11/2 days"),
    "ellipsis": ("cakes are ordered and paid and collected", "cakes are ordered ... collected"),
    "joined from two places": ("Two bakers work. They finish 25 cakes.", "Two bakers finish 25"),
    "without its mark": ("คนทำขนมปังที่ร้าน", "คนทำขนมปังท"),
    "nothing": ("some text", "  "),
    "only punctuation": ("some. text.", "..."),
}


@pytest.mark.parametrize(("text", "quote"), FOUND.values(), ids=FOUND)
def test_is_found(text, quote):
    assert contains_quote(text, quote)


@pytest.mark.parametrize(("text", "quote"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_is_not_found(text, quote):
    assert not contains_quote(text, quote)


LENGTHS = [
    ("at most 25", "can finish at most 25 cakes", True),
    ("cakes day", "25 cakes a day", False),
    ("Yes", "Yes.", True),
    ("Order", "Order", True),
    ("Order", "Order form", False),
    ("- - -", "a - - - b", False),
    ("予約は前日までに", "予約は前日までにお願いします", True),
    ("予約は前日", "予約は前日までにお願いします", False),
    ("はい", "はい。", True),
    ("AWSで予約する", "AWSで予約するシステム", False),
    ("AWS S3で予約する", "AWS S3で予約するシステム", True),
]


@pytest.mark.parametrize(("quote", "text", "expected"), LENGTHS)
def test_long_enough(quote, text, expected):
    assert long_enough(quote, text) is expected
