import pytest

from combine.documents.words import distinct_words, overlap, word_count

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
    assert distinct_words("The Limit (FR-002) is the LIMIT") == {"the", "limit", "is"}


def test_overlap_of_texts():
    assert overlap(distinct_words("a b c d"), distinct_words("a b c e")) == 3 / 5
    assert overlap(distinct_words("予約する"), distinct_words("予約する")) == 1
    assert overlap(distinct_words(""), distinct_words("")) == 0
