import pytest

from combine.documents.words import overlap, tokens, word_count

COUNTS = [
    ("", 0),
    ("one two  three", 3),
    ("Given 25 cakes, when - then", 5),
    ("予約は前日までに", 4),
    ("AWSで予約", 3),
    ("예약은 전날까지", 2),
]


@pytest.mark.parametrize(("text", "count"), COUNTS)
def test_words_are_counted(text, count):
    assert word_count(text) == count


def test_tokens_leave_ids_out_and_fold():
    assert tokens("The Limit (FR-002) is the LIMIT") == {"the", "limit", "is"}


def test_overlap_of_texts():
    assert overlap(tokens("a b c d"), tokens("a b c e")) == 3 / 5
    assert overlap(tokens("予約する"), tokens("予約する")) == 1
    assert overlap(tokens(""), tokens("")) == 0
