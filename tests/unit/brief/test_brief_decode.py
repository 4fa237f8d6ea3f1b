import pytest
from hypothesis import given
from hypothesis import strategies as st

from combine.brief.reading import MAX_BRIEF_BYTES, decode_brief
from combine.errors import Invalid


@given(
    st.text(st.characters(exclude_categories=("Cc", "Cs"), include_characters="\t\n\r")).filter(
        lambda t: any(c.isalnum() for c in t) and not t.startswith(("\ufeff", "{\\rtf", "%PDF", "GIF8"))
    )
)
def test_utf8_comes_back_as_it_was_with_or_without_a_mark(text):
    data = text.encode()
    assert decode_brief(data) == text
    assert decode_brief(b"\xef\xbb\xbf" + data) == text


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"", "brief_empty", "no words"),
        (b" \r\n\t", "brief_empty", "no words"),
        (b"\xef\xbb\xbf", "brief_empty", "no words"),
        (b"## - | >\n", "brief_empty", "no words"),
        (b"a" * (MAX_BRIEF_BYTES + 1), "brief_too_large", "204,800 bytes"),
        ("Wörter".encode("utf-16"), "brief_encoding", "UTF-16"),
        ("words".encode("utf-16-be"), "brief_encoding", "UTF-16"),
        ("words".encode("utf-32"), "brief_encoding", "UTF-32"),
        (
            "One line.\nDie Lösung".encode("latin-1"),
            "brief_encoding",
            "0xf6 at byte 15 (line 2, column 6)",
        ),
        (b"\xef\xbb\xbfab\xff", "brief_encoding", "byte 5"),
        (b"%PDF-1.7 words", "brief_binary", "a PDF file"),
        (b"PK\x03\x04 words", "brief_binary", "Word"),
        (b"text\nand \x00 zero byte", "brief_binary", "byte 9 (line 2, column 5)"),
        (bytes(range(1, 256)), "brief_binary", "not text"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_cannot_be_read_is_refused_with_place_and_mend(data, code, said):
    with pytest.raises(Invalid) as caught:
        decode_brief(data)
    assert caught.value.code == code
    assert said in caught.value.message
    assert caught.value.hint


def test_the_limit_itself_is_allowed():
    assert len(decode_brief(b"a" * MAX_BRIEF_BYTES)) == MAX_BRIEF_BYTES


def test_a_control_character_is_refused_with_its_place():
    with pytest.raises(Invalid) as caught:
        decode_brief(b"Line one.\nA \x1b[31mred word.")
    assert caught.value.code == "brief_binary"
    assert (caught.value.details["line"], caught.value.details["column"]) == (2, 3)


def test_tabs_and_page_breaks_are_text():
    assert decode_brief(b"One\ttwo.\x0cThree.\r\n") == "One\ttwo.\x0cThree.\r\n"
