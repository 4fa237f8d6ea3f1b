"""Secrets are long, stored as hashes, and tokens carry a checksum."""

import string

from hypothesis import given
from hypothesis import strategies as st

from combine.auth.secrets import digest, is_token, new_secret, new_token

ALPHABET = string.ascii_letters + string.digits + "-_"


def test_a_token_has_the_format_that_secret_scanners_expect():
    token = new_token()
    assert token.startswith("cmb_")
    assert len(token) == 4 + 43 + 6
    assert is_token(token)


def test_no_two_secrets_are_alike():
    assert len({new_secret() for _ in range(1000)} | {new_token() for _ in range(1000)}) == 2000


@given(st.integers(4, 52), st.sampled_from(ALPHABET))
def test_a_token_with_one_wrong_character_is_invalid(place, character):
    token = new_token()
    wrong = token[:place] + character + token[place + 1 :]
    assert is_token(wrong) is (wrong == token)


@given(st.text())
def test_any_text_can_be_checked_and_hashed(text):
    assert not is_token(text)
    assert len(digest(text)) == 64


def test_a_token_followed_by_anything_is_invalid():
    assert not is_token(new_token() + "\n")
    assert not is_token(" " + new_token())


def test_unencodable_texts_have_a_hash_too():
    assert digest("\ud800") != digest("?")
