"""Reading a brief: decoding it and splitting it into numbered sentences that keep their exact text."""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE

from combine.brief.brief import Brief, Sentence, SentenceKind
from combine.errors import Invalid
from combine.formats import unstorable_at

MAX_BRIEF_BYTES = 200 * 1024

_SAVE_AS_UTF8 = "Save the file as UTF-8 (in most editors: save as, encoding UTF-8) and try again."
_SEND_TEXT = "Save the text as plain text or Markdown in UTF-8 and use that file."
_WRITE_WORDS = "Write at least one sentence about what should be built."


def decode_brief(data: bytes) -> str:
    """The text of a brief given as bytes: UTF-8, with or without a byte order mark (which is dropped).

    Raises Invalid with code ``brief_too_large``, ``brief_binary``, ``brief_encoding`` or ``brief_empty``; where a
    position is known, ``details`` has ``byte`` (from 0), ``line`` and ``column`` (from 1).
    """
    if len(data) > MAX_BRIEF_BYTES:
        raise Invalid(
            f"The brief is too large: at most {MAX_BRIEF_BYTES:,} bytes (200 KB) are allowed.",
            code="brief_too_large",
            hint="Keep what describes the product and remove appendices, or split it into several briefs.",
            details={"bytes": len(data), "limit": MAX_BRIEF_BYTES},
        )
    _refuse_other_formats(data)
    marked = len(BOM_UTF8) if data.startswith(BOM_UTF8) else 0
    try:
        text = data[marked:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(data, error.start + marked) from None
    if (found := unstorable_at(text)) is not None:  # terminal colours, for example
        place = marked + len(text[:found].encode())
        raise _bad("brief_binary", f"The brief contains the control character 0x{data[place]:02x}.", data, place)
    if not any(letter.isalnum() for letter in text):
        raise _empty()
    return text


def split_brief(text: str) -> Brief:
    """The text with its sentences ``B-1``, ``B-2``... in order.

    Every letter and digit that is not markup belongs to exactly one sentence; each list item, table row, heading
    and code block starts a new sentence. Raises Invalid with code ``brief_empty`` if nothing is left to number.
    """
    # The Markdown parser and the splitter cost more to import than most commands take.
    from combine.brief.blocks import find_blocks  # noqa: PLC0415
    from combine.brief.language import detect_language  # noqa: PLC0415
    from combine.brief.sentences import sentence_spans  # noqa: PLC0415

    blocks = find_blocks(text)
    words = "\n".join(block.shape for block in blocks if block.kind is not SentenceKind.CODE)
    language = detect_language(words or text)
    spans = list(sentence_spans(blocks, language))
    if not spans:
        raise _empty()
    sentences = tuple(
        Sentence(f"B-{n}", text[start:end], kind, start, end) for n, (kind, start, end) in enumerate(spans, 1)
    )
    return Brief(text, language, sentences)


_FORMATS = {
    b"%PDF-": "a PDF file",
    b"PK\x03\x04": "a ZIP archive (Word, Excel and OpenDocument files are such archives)",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"{\\rtf": "a rich text (RTF) file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"\x1f\x8b": "a gzip archive",
    b"\x7fELF": "a program",
}


def _refuse_other_formats(data: bytes) -> None:
    for mark in (BOM_UTF32_LE, BOM_UTF32_BE, BOM_UTF16_LE, BOM_UTF16_BE):
        if data.startswith(mark):
            name = "UTF-32" if len(mark) > len(BOM_UTF16_LE) else "UTF-16"
            raise _bad("brief_encoding", f"The brief is encoded in {name} (byte order mark at byte 0).", data, 0)
    for magic, name in _FORMATS.items():
        if data.startswith(magic):
            raise _bad("brief_binary", f"The brief is {name}, not text.", data, 0)
    place = data.find(b"\0")
    if place >= 0 and _looks_like_utf16(data):
        raise _bad("brief_encoding", f"The brief seems to be UTF-16: a zero byte at byte {place}.", data, place)
    if place >= 0:
        raise _bad("brief_binary", f"The brief is not text: a zero byte at byte {place}.", data, place)


def _looks_like_utf16(data: bytes) -> bool:
    even, odd = data[::2].count(0), data[1::2].count(0)
    half = len(data) // 2
    return half > 0 and max(even, odd) > half * 0.4 and min(even, odd) < half * 0.1


_MOST_CONTROLS = 0.1
_CONTROLS = bytes(set(range(32)) - {9, 10, 12, 13})


def _not_utf8(data: bytes, place: int) -> Invalid:
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if controls > len(data) * _MOST_CONTROLS:
        return _bad("brief_binary", f"The brief is not text: invalid data at byte {place}.", data, place)
    message = f"The brief is not valid UTF-8: 0x{data[place]:02x} at byte {place}."
    return _bad("brief_encoding", message, data, place)


def _bad(code: str, message: str, data: bytes, place: int) -> Invalid:
    before = data[:place]
    line = before.count(b"\n") + 1
    column = place - (before.rfind(b"\n") + 1) + 1
    return Invalid(
        f"{message[:-1]} (line {line}, column {column})." if place else message,
        code=code,
        hint=_SAVE_AS_UTF8 if code == "brief_encoding" else _SEND_TEXT,
        details={"byte": place, "line": line, "column": column},
    )


def _empty() -> Invalid:
    return Invalid("The brief contains no words.", code="brief_empty", hint=_WRITE_WORDS)
