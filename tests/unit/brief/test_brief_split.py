# ruff: noqa: RUF001
"""Splitting a brief: exact spans, nothing lost, nothing twice."""

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from combine.brief import sentences as brief_sentences
from combine.brief.blocks import _TAG
from combine.brief.brief import Brief, SentenceKind
from combine.brief.reading import split_brief
from combine.errors import Invalid


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in split_brief(text).sentences]


def kinds(text: str) -> list[tuple[str, str]]:
    return [(sentence.kind.value, sentence.text) for sentence in split_brief(text).sentences]


def assert_sound(brief: Brief) -> None:
    reached = 0
    for number, sentence in enumerate(brief.sentences, 1):
        assert sentence.id == f"B-{number}"
        assert reached <= sentence.start < sentence.end <= len(brief.text)
        assert brief.text[sentence.start : sentence.end] == sentence.text
        assert sentence.text == sentence.text.strip()
        assert any(letter.isalnum() for letter in sentence.text)
        reached = sentence.end


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Meier pays $3.50, e.g. by card. He leaves.", ["Dr. Meier pays $3.50, e.g. by card.", "He leaves."]),
        ("A line that is\r\nwrapped. Next.", ["A line that is\r\nwrapped.", "Next."]),
        ("old\rMac\r\rnew", ["old\rMac", "new"]),
        ("See point 1. below. Then go.", ["See point 1. below.", "Then go."]),
        ("Some **bold. Text** here.", ["Some **bold.", "Text** here."]),
        ("we write small. it is fine.", ["we write small.", "it is fine."]),
        ("Das gilt für z. B. alle. Am 1. März geht es los.", ["Das gilt für z. B. alle.", "Am 1. März geht es los."]),
        ("Das ist der 2. Versuch. Wir sind bereit.", ["Das ist der 2. Versuch.", "Wir sind bereit."]),
        ("M. Dupont est le chef. Il est pour.", ["M. Dupont est le chef.", "Il est pour."]),
        ("¿Qué es esto? ¡Es el fin! No.", ["¿Qué es esto?", "¡Es el fin!", "No."]),
        ("予約が必要です。予算は百万円です！", ["予約が必要です。", "予算は百万円です！"]),
        (
            "予算は300万円です。2027年に始めます。A社です？はい",
            ["予算は300万円です。", "2027年に始めます。", "A社です？", "はい"],
        ),
        ("我们需要系统。预算是10万元！", ["我们需要系统。", "预算是10万元！"]),
        ("نحتاج إلى نظام. هل هذا ممكن؟ نعم.", ["نحتاج إلى نظام.", "هل هذا ممكن؟", "نعم."]),
        ("यह एक है। दूसरा है।", ["यह एक है।", "दूसरा है।"]),
        ("He said\u00a0«so.\u00a0» Then\u00a0he left.\u00a0", ["He said\u00a0«so.\u00a0»", "Then\u00a0he left."]),
        ("😀 Fine. 𝒳 is big.", ["😀 Fine.", "𝒳 is big."]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text, expected):
    assert texts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Срок — май. Бюджет 5 тыс. руб. на год, т. е. немного! А. С. Пушкин согласен.",
            ["Срок — май.", "Бюджет 5 тыс. руб. на год, т. е. немного!", "А. С. Пушкин согласен."],
        ),
        (
            "Asiakkaat varaavat esim. ajan ja maksavat kortilla. Hinta on n. 5 euroa.",
            ["Asiakkaat varaavat esim. ajan ja maksavat kortilla.", "Hinta on n. 5 euroa."],
        ),
        ("tarvitsemme järjestelmän. asiakkaat maksavat.", ["tarvitsemme järjestelmän.", "asiakkaat maksavat."]),
        ("العملاء يختارون الوقت؟ نعم! انتهى.", ["العملاء يختارون الوقت؟", "نعم!", "انتهى."]),
        ("Η τιμή. Όχι.", ["Η τιμή.", "Όχι."]),
    ],
)
def test_sentences_of_a_language_that_is_not_recognised(text, expected):
    assert texts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Title #\ntext", [("heading", "Title"), ("prose", "text")]),
        ("Title\n=====", [("heading", "Title")]),
        ("- some. More.\n  - e\n* f", [("list_item", s) for s in ("some.", "More.", "e", "f")]),
        ("1. one\n2. two\n   more", [("list_item", "one"), ("list_item", "two\n   more")]),
        ("- [ ] todo\n- [x] done", [("list_item", "todo"), ("list_item", "done")]),
        ("> said\n> so. Then\n\nno", [("quote", "said\n> so."), ("quote", "Then"), ("prose", "no")]),
        ("> - deep", [("list_item", "deep")]),
        ("| a | b |\n|---|---|\n| c. D | e |", [("table_row", "a | b"), ("table_row", "c. D | e")]),
        ("a | b\n--|--\n  | 5", [("table_row", "a | b"), ("table_row", "5")]),
        ("```py\nx = 1\n\ny = 2.\n```\nend", [("code", "x = 1\n\ny = 2."), ("prose", "end")]),
        ("~~~\nopen", [("code", "open")]),
        ("    indented\n    code", [("code", "indented\n    code")]),
        ("- item\n\n  ```\n  code\n  ```", [("list_item", "item"), ("code", "code")]),
        ("a <!-- b. C --> d\n\n<!-- e\n\nf -->\n\ng", [("prose", "a <!-- b. C --> d"), ("prose", "g")]),
        ("<!-- note --> first", [("prose", "first")]),
        ("<div>\nhello <b>you</b>\n</div>", [("prose", "hello <b>you")]),
        ("<DIV>\n<BR>hello\n</Div>", [("prose", "hello")]),
        ("<A>\n\nend", [("prose", "end")]),
        ("a <customer name> b", [("prose", "a <customer name> b")]),
        ("[x]: http://a.b 'T'", [("prose", "[x]: http://a.b 'T'")]),
        ("---\nowner: me\ndue: May\n---\nText", [("prose", "owner: me"), ("prose", "due: May"), ("prose", "Text")]),
        ("---\nText", [("prose", "Text")]),
        ("Budget: 10k\nDeadline: May", [("prose", "Budget: 10k"), ("prose", "Deadline: May")]),
        (
            "We want:\n• one. Two\n• three",
            [("prose", "We want:"), *(("list_item", s) for s in ("one.", "Two", "three"))],
        ),
        ("a) first\nb) second", [("list_item", "first"), ("list_item", "second")]),
    ],
)
def test_blocks_keep_their_sentences_apart_and_their_markup_outside(text, expected):
    assert kinds(text) == expected
    assert_sound(split_brief(text))


@pytest.mark.parametrize(
    "text", ["", " \n\t", "---\n***", "<!-- words -->", "<br/>", "# \n- \n> ", "```python\n```", "🎉"]
)
def test_nothing_but_markup_is_an_empty_brief(text):
    with pytest.raises(Invalid) as caught:
        split_brief(text)
    assert caught.value.code == "brief_empty"
    assert caught.value.hint


def test_what_is_nested_too_deeply_for_the_parser_is_kept():
    text = "".join("  " * depth + f"- item{depth} here\n" for depth in range(60))
    found = " ".join(texts(text))
    assert [f"item{depth} " in found for depth in range(60)] == [True] * 60


WORD = st.integers(min_value=0, max_value=10**6).map(lambda n: f"word{n}x")
WORDS = st.lists(WORD, min_size=1, max_size=6).map(" ".join)
LINES = st.lists(WORDS, min_size=1, max_size=3)


SHAPES = {
    "prose": lambda lines: ".\n".join(lines) + "!",
    "heading": lambda lines: f"### {lines[0]}",
    "underlined": lambda lines: f"{lines[0]}\n----",
    "list": lambda lines: "\n".join("  " * n + f"- {line}" for n, line in enumerate(lines)),
    "ordered": lambda lines: "\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1)),
    "quote": lambda lines: "\n".join(f"> {line}" for line in lines),
    "table": lambda lines: f"| {lines[0]} | b |\n|---|---|\n" + "\n".join(f"| {line} | 1 |" for line in lines),
    "fence": lambda lines: "```\n" + "\n".join(lines) + "\n```",
    "indented": lambda lines: "\n".join(f"    {line}" for line in lines),
    "label": lambda lines: "\n".join(f"Label: {line}" for line in lines),
}
BLOCKS = st.builds(lambda shape, lines: SHAPES[shape](lines), st.sampled_from(sorted(SHAPES)), LINES)


@settings(max_examples=150)
@given(st.lists(BLOCKS, min_size=1, max_size=6), st.sampled_from(["\n", "\r\n", "\r"]))
def test_every_word_of_every_block_is_in_exactly_one_sentence(parts, line_end):
    text = "\n\n".join(parts).replace("\n", line_end)
    brief = split_brief(text)
    assert_sound(brief)
    word = re.compile(r"word\d+x")
    assert [w for s in brief.sentences for w in word.findall(s.text)] == word.findall(text)


MARKUP = re.compile(
    r"<!--.*?-->"  # comments
    rf"|(?i:{_TAG.pattern})"  # which tags are known is not for this test to say
    r"|^[ \t>*+-]*(?:\d{1,9}[.)][ \t>*+-]*)*(?:`{3,}|~{3,}).*$"  # what is said of a code block
    r"|(?<![^\s>*+.)-])\(?\d{1,9}[.)](?!\S)|(?<!\w)\(?[a-zA-Z]\)(?=\s)"  # numbers of list items
    r"|\[[xX]\]",
    re.DOTALL | re.MULTILINE,
)
SOUP = st.text(st.sampled_from("ab1 Z.é。\n\n\r\t#->|*+`~=[]()x!:<p>\\&漢ا\u2028\u00a0\x00"), max_size=80)


@settings(max_examples=400)
@given(st.one_of(SOUP, st.text(max_size=60), st.text(st.characters(), max_size=40)).map(lambda text: f"{text}\n\nend"))
def test_any_text_is_split_without_loss(text):
    brief = split_brief(text)
    assert_sound(brief)
    assert split_brief(text) == brief
    left = text
    for sentence in brief.sentences:
        blank = re.sub(r"[^\r\n]", " ", sentence.text)
        left = left[: sentence.start] + blank + left[sentence.end :]
    left = MARKUP.sub(" ", left.replace("\r\n", "\n").replace("\r", "\n"))
    assert not any(letter.isalnum() for letter in left), left


LIMIT = 200 * 1024

LARGE = {
    "words": lambda n: "word " * (n // 5),
    "sentences": lambda n: "One thing. " * (n // 11),
    "full stops of Japan": lambda n: "これは文です。" * (n // 21),
    "open corners": lambda n: "「a。" * (n // 7),
    "items": lambda n: "- a\n" * (n // 4),
    "markers": lambda n: "- " * (n // 2) + "a",
    "numbered items": lambda n: "1. a\n" * (n // 5),
    "quoted nothing": lambda n: ">" * (n - 1) + "a",
    "rows": lambda n: "|a|b|\n|-|-|\n" + "|c|d|\n" * (n // 6),
    "wide table": lambda n: f"|{'a|' * (n // 4)}\n|{'-|' * (n // 4)}\n",
    "open table": lambda n: "| a " * (n // 4),
    "stops and letters": lambda n: "a. b" * (n // 4),
    "numbers in sentences": lambda n: "We 1. a " * (n // 8),
    "comments": lambda n: "<!--" * (n // 4) + "a",
    "tags": lambda n: "<p " * (n // 3) + "a",
    "labels": lambda n: "A:\n" * (n // 3),
    "lines": lambda n: "a\n" * (n // 2),
    "paragraphs": lambda n: "a\n\n" * (n // 3),
    "front matter": lambda n: "---\na: b\n" + "c: d\n" * (n // 5),
    "front matter of Windows": lambda n: "---\r\na: b\r\n" + "c: d\r\n" * (n // 6),
    "closing of a heading": lambda n: "# a " + "#" * n,
    "a letter": lambda n: "a" * n,
    "letters with brackets": lambda n: "a) " * (n // 3),
    "depths": lambda n: "\n".join(">" * (k % 60) + " a" for k in range(n // 32)),
    "backticks": lambda n: "We need a booking thing. " + "`" * n,
    "more and more backticks": lambda n: ("a" + "".join("a" + "`" * k for k in range(n)[:700]))[:n] + ". B",
    "one open quote": lambda n: "“We. " + "It is so. " * (n // 10),
    "one open bracket": lambda n: "(We. " + "It is so. " * (n // 10),
    "all kinds of quotes": lambda n: "We. " + "“„«‹「『\"'(`[" * (n // 25),
    "abbreviations": lambda n: "e.g. Dr. z.B. U.S.A. " * (n // 21),
    "dots": lambda n: "We. A" + "." * n,
    "names and dots": lambda n: "We. " + "a." * (n // 2),
    "addresses": lambda n: "We. " + "a.b@c." * (n // 6),
    "links": lambda n: "http://a.b/c?d=e. " * (n // 18),
    "blanks": lambda n: "We. A" + " " * n + "b",
    "no stop in Chinese": lambda n: "我们。" + "漢字" * (n // 6),
    "stops of Danish": lambda n: "Og at det som ikke med er af. " + "Vi. " * (n // 4),
    **{f"open {quote}": lambda n, q=quote: "We book. " + f"{q}Ab. " * (n // 6) for quote in "`'\"“”‘’„«»‹›「『([{（《"},
    **{f"many {quote}": lambda n, q=quote: "We book. " + q * (n // 3) for quote in "'\"“”‘’„«»‹›「『([{（《"},
}


class Handed:
    """What the splitter is given, noted on its way."""

    def __init__(self, monkeypatch):
        self.given: list[tuple[str, str]] = []
        segment = brief_sentences.sentencex.segment

        def noted(language, piece):
            self.given.append((language, piece))
            return segment(language, piece)

        monkeypatch.setattr(brief_sentences.sentencex, "segment", noted)


@pytest.mark.parametrize("name", LARGE)
def test_the_splitter_is_given_little_at_once_and_nothing_often(name, monkeypatch):
    handed = Handed(monkeypatch)
    text = LARGE[name](LIMIT)
    assert_sound(split_brief(text))
    # its time for a piece grows with the square of the length: whole briefs of backticks took it half a minute
    assert max((len(piece) for _, piece in handed.given), default=0) <= 8_000
    assert sum(len(piece) for _, piece in handed.given) <= 2 * len(text) + 20_000
    stops = sum(piece.count(".") for language, piece in handed.given if language in {"ca", "da", "oc"})
    assert stops <= 2 * 4_000  # a third of a millisecond each


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.text(st.sampled_from("ab .!?`'\"“”«»()[]@-1。\n"), min_size=1, max_size=12),
            st.sampled_from(["We go. ", "is so ", "e.g. ", "Ab. ", '"', "(", ")", "`a` "]),
        ),
        min_size=1,
        max_size=6,
    ),
    st.integers(min_value=1, max_value=400),
    st.integers(min_value=1, max_value=40),
)
def test_whatever_is_repeated_is_given_to_the_splitter_about_once(parts, times, lead):
    text = "We. " + "".join(part * times for part in parts) * lead
    text = text[:60_000] + ". End"
    with pytest.MonkeyPatch.context() as monkeypatch:
        handed = Handed(monkeypatch)
        assert_sound(split_brief(text))
    assert max((len(piece) for _, piece in handed.given), default=0) <= 8_000
    assert sum(len(piece) for _, piece in handed.given) <= 4 * len(text) + 20_000


def steps(text: str) -> int:
    """Calls that splitting makes, in Python and out of it."""
    count = 0

    def noted(_frame, event, _value):
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(noted)
    try:
        split_brief(text)
    except Invalid:
        pass
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("name", LARGE)
def test_ten_times_the_text_takes_about_ten_times_the_steps(name):
    steps(LARGE[name](2_000))  # what is loaded once
    assert steps(LARGE[name](40_000)) <= 20 * steps(LARGE[name](4_000))


@pytest.mark.parametrize("words", [1_000, 1_500, 5_000, 30_000])
def test_a_long_sentence_is_kept_whole_and_those_after_it_apart(words):
    long = f"It is {'so '.rjust(5, 'x') * words}long."
    assert texts(f"We start. {long} " + "We go on. " * 900) == ["We start.", long, *["We go on."] * 900]


def test_a_code_block_is_one_sentence_and_does_not_decide_the_language():
    brief = split_brief("```\nthe and of to is are\nfor with that\n```\n\nDie Stadt ist mit der Liste nicht zufrieden.")
    assert brief.language == "de"
    assert [s.kind for s in brief.sentences] == [SentenceKind.CODE, SentenceKind.PROSE]
