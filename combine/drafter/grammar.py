"""What a sentence asks for: who does what, in the sentence's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from combine.documents.words import word_count
from combine.drafter.lexicon import Cues
from combine.drafter.reading import Section, Statement
from combine.drafter.text import bare, capital, lower_first

MAX_SUBJECT_WORDS = 7

_MODAL_EN = re.compile(
    r"^(?P<subject>[^,;:]{1,70}?) (?P<modal>(?:(?:must|should|shall|need to|needs to|want to|"
    r"wants to) (?:also )?be able to|"
    r"would like to|must|should|shall|needs? to|ha(?:s|ve) to|wants? to|are to|is to|will|can|could|may)(?: also|"
    r" always)?)"
    r"(?P<not> not| never)? (?P<action>.+)$",
    re.IGNORECASE,
)
_MODAL_IF_EN = re.compile(
    r"^(?P<subject>[^,;:]{1,70}?) (?P<modal>must|should|shall),? "
    r"(?P<cond>(?:when|if|while|once|after|before|where)\b[^,]+), (?P<action>.+)$",
    re.IGNORECASE,
)
_PROVIDE_EN = re.compile(
    r"^(?P<who>we|i|[^,;:]{2,40}?)(?: also| really)? "
    r"(?:needs?|wants?|would like|'d like|are looking for|requires?) (?P<thing>.+)$",
    re.IGNORECASE,
)
_FOR_WE_EN = re.compile(
    r"^(?P<before>(?:for|to|in|at|on) [^,]{3,70}?),? (?P<who>we|i) (?:also |really )?(?:need|want|would like|"
    r"require) (?P<thing>.+)$",
    re.IGNORECASE,
)
_AIM_EN = re.compile(
    r"^(?:(?:the|our|my) (?:main |overall |first )?(?:goal|aim|objective|purpose|idea|vision)s? (?:is|are)"
    r"(?: to)? |(?:we|i)(?: really| also)? (?:want to|would like to|hope to|wish to|aim to|plan to) |(?:we|"
    r"i)'d like to )"
    r"(?P<action>.+)$",
    re.IGNORECASE,
)
_SYSTEM_EN = re.compile(
    r"^(?:(?:the|our|this|a|an) )?(?:new |online |web |mobile )*(?:system|app|application|tool|platform|web ?site|"
    r"site|portal|"
    r"software|solution|product|service|program|database|dashboard|bot)$|^(?:it|this)$",
    re.IGNORECASE,
)
_BASE_EN = re.compile(r"(?P<stem>\w+?)(?P<end>ies|es|s)$")
_MODAL_DE = re.compile(
    r"^(?P<subject>[^,;:]{1,70}?) (?P<modal>soll(?:en|te|ten)?|muss|müssen|möchten?|wollen|will|können|kann|dürfen|"
    r"darf) "
    r"(?P<action>.+)$",
    re.IGNORECASE,
)
_PROVIDE_DE = re.compile(
    r"^(?:wir|ich) (?:brauchen?|benötigen?|wünschen uns|wollen|möchten?|suchen?)(?: dafür| dazu| auch)? (?P<thing>.+)$",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r" (?:who|that|of|in|at|with|and|or|from|on|und|oder|die|der|aus|im|mit|mit|von) |,", re.IGNORECASE
)
_CLAUSES = re.compile(
    r";\s+|,?\s+(?:and|but|und|aber)\s+(?=(?:we|they|it|the \w+|a \w+) (?:must|should|shall|want|need|has to|"
    r"have to|would like|"
    r"may|can)\b|(?:wir|sie|er|es|die \w+|der \w+|das \w+) (?:muss|müssen|soll|sollen|wollen|möchten)\b)",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(r"\b(?:that|this|it|das|dies)$", re.IGNORECASE)
_CONDITION = re.compile(
    r"^(?:if|when|whenever|once|as soon as|while|wenn|falls|sobald)\b[^,]+,\s*(?:then |dann )?(?P<rest>.+)$",
    re.IGNORECASE,
)
FILLER = re.compile(
    r"^(?:(?:of course|obviously|naturally|simply|just|ideally|natürlich|selbstverständlich),? )+", re.IGNORECASE
)
_VAGUE = re.compile(r"(?:something|anything|a solution|some kind|etwas|eine lösung|irgend)\b", re.IGNORECASE)
_SYSTEM_START = re.compile(
    r"^(?:it|(?:the|this) (?:system|app|application|tool|platform|website|portal|software|"
    r"program)) (?P<verb>\w+s) (?P<rest>.+)$",
    re.IGNORECASE,
)
_PAST = re.compile(r"^\w+ \w+ed\b")
ADVERB = re.compile(r"^(?:(?:still|also|always|then|usually|now|only) )+", re.IGNORECASE)
_STOP = re.compile(r"[.!?:;\u3002]\W*$")
_PRONOUNS = re.compile(r"^(?:they|he|she|sie|er)$", re.IGNORECASE)


class Party(StrEnum):
    """Who acts in a sentence."""

    CLIENT = "client"  # "we"
    SYSTEM = "system"
    PEOPLE = "people"
    THING = "thing"


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing a sentence asks for."""

    statement: Statement
    party: Party
    subject: str
    """As the sentence says it; for pronouns what they stand for."""
    action: str
    """The rest of the sentence after the verb of will; empty if there is only a thing."""
    modal: str = ""
    negated: bool = False
    condition: str = ""
    thing: str = ""
    """What shall be there, if no action is asked for."""
    whole: bool = False
    """Whether the rest of the sentence belongs to it, too."""

    @property
    def vague(self) -> bool:
        """Whether nothing but a quality is asked for: "something modern"."""
        return _VAGUE.match(self.thing) is not None

    @property
    def plural(self) -> bool:
        """Whether the subject takes a plural verb in English."""
        last = self.subject.split(" ")[-1].casefold()
        return last in ("people", "staff", "children", "they") or (last.endswith("s") and not last.endswith("ss"))

    @property
    def core(self) -> str:
        """The asked thing in a few words of the sentence."""
        return self.action or self.thing or self.statement.text


def wish_of(statement: Statement, cues: Cues, before: str = "") -> Wish | None:
    """The first thing the statement asks for; None if the rules find none. ``before`` is the last subject."""
    return next(iter(wishes_in(statement, cues, before)), None)


def wishes_in(statement: Statement, cues: Cues, before: str = "") -> tuple[Wish, ...]:
    """What the statement asks for. If only a part of it can be read, one wish that stands for the whole sentence."""
    text = bare(statement.text)
    condition = ""
    if found := cues.patterns["conditional"].match(text):
        condition, text = lower_first(found.group("cond")), found.group("rest")
    reader = _german if cues.language == "de" else _english
    clauses = _CLAUSES.split(text)
    read = [reader(statement, clause, cues, before) for clause in clauses]
    wishes = [wish for wish in read if wish is not None]
    if wishes:
        wishes[0] = replace(wishes[0], condition=condition or wishes[0].condition)
    partly = len(wishes) < len(read) or any(_POINTS_BACK.search(w.core) for w in wishes)
    return (replace(wishes[0], whole=True),) if wishes and partly else tuple(wishes)


def subject_of(wish: Wish | None, statement: Statement, cues: Cues) -> str:
    """Whom a following pronoun would mean."""
    if wish is not None and wish.party is Party.PEOPLE:
        return wish.subject
    return person_at_start(statement.text, cues)


def person_at_start(text: str, cues: Cues) -> str:
    """The people a sentence begins with, article included, or nothing."""
    found = cues.patterns["person_first"].match(text)
    return found.group() if found else ""


def _english(statement: Statement, text: str, cues: Cues, before: str) -> Wish | None:
    if (found := _MODAL_IF_EN.match(text)) and (wish := _modal(statement, found, cues, before)):
        return replace(wish, condition=found.group("cond"))
    if found := _MODAL_EN.match(text):
        wish = _modal(statement, found, cues, before)
        if wish is not None:
            return wish
    if found := _AIM_EN.match(text):
        return Wish(statement, Party.CLIENT, "", found.group("action"), "want")
    if wish := _needed(statement, text, cues):
        return wish
    is_line = statement.section is Section.NONE and not _STOP.search(statement.raw) and not statement.is_a("opens")
    if statement.section is Section.WANT or statement.topic or is_line:
        return _present(statement, text, cues, before)
    return None


def _needed(statement: Statement, text: str, cues: Cues) -> Wish | None:
    """A thing that somebody needs or is to be given."""
    found = _FOR_WE_EN.match(text) or _PROVIDE_EN.match(text)
    if found is None or cues.has("negative", found.group("thing")[:12]):
        return None
    party = _party(found.group("who"), cues)
    if party is Party.THING:
        return None
    who = found.group("who") if party is Party.PEOPLE else ""
    before_it = lower_first(found.groupdict().get("before", ""))
    return Wish(statement, party, who, "", "need", condition=before_it, thing=found.group("thing"))


def _modal(statement: Statement, found: re.Match[str], cues: Cues, before: str) -> Wish | None:
    subject, modal = found.group("subject").strip(), found.group("modal").casefold()
    if _PRONOUNS.match(subject) and before:
        subject = before
    party = _party(subject, cues)
    weak = modal in ("can", "could", "may", "will")
    if word_count(subject) > MAX_SUBJECT_WORDS or (weak and party in (Party.THING, Party.CLIENT)):
        return None
    if modal == "will" and party is not Party.SYSTEM:
        return None
    return Wish(statement, party, subject, found.group("action"), modal, bool(found.groupdict().get("not")))


def _present(statement: Statement, text: str, cues: Cues, before: str) -> Wish | None:
    """A present-tense line under a heading of wishes: "Customers book ...", "Show the ..."."""
    verbs = [cues.patterns[name] for name in ("read_verbs", "write_verbs", "send_verbs")]
    if cues.has("own_verbs", text):
        return Wish(statement, Party.SYSTEM, "the system", lower_first(text))
    if any(v.match(text) for v in verbs):
        return Wish(statement, Party.PEOPLE, "people", lower_first(text))
    words = text.split(" ", 1)
    if (system := _SYSTEM_START.match(text)) and any(v.match(_base(system.group("verb"))) for v in verbs):
        return Wish(statement, Party.SYSTEM, "the system", f"{_base(system.group('verb'))} {system.group('rest')}")
    pronoun = _PRONOUNS.match(words[0]) is not None and before != ""
    subject = words[0] if pronoun else person_at_start(text, cues)
    rest = text[len(subject) :].strip() if subject else ""
    if not rest:
        return _bare_thing(statement, text)
    action = _action(rest, verbs)
    return Wish(statement, Party.PEOPLE, before if pronoun else subject, action) if action else None


def _bare_thing(statement: Statement, text: str) -> Wish | None:
    told = statement.is_a("negative") or _POINTS_BACK.search(text) or _PAST.search(text)
    short = word_count(text) <= MAX_SUBJECT_WORDS + 1 and not told
    return Wish(statement, Party.SYSTEM, "", "", "", thing=lower_first(text)) if short else None


def _action(rest: str, verbs: Sequence[re.Pattern[str]]) -> str:
    """What follows the subject, with its verb in the base form; empty if it does not begin with a known verb."""
    adverb = found.group() if (found := ADVERB.match(rest)) else ""
    verb, _, tail = rest[len(adverb) :].partition(" ")
    for base in (verb, _base(verb)):
        if any(v.match(base) for v in verbs) or base == "choose":
            return f"{adverb}{base} {tail if base == verb else _base_forms(tail, verbs)}".strip()
    return ""


def _base_forms(text: str, verbs: Sequence[re.Pattern[str]]) -> str:
    """The text with the verbs after "and" in the form that fits "let somebody ..."."""

    def plain(found: re.Match[str]) -> str:
        base = _base(found.group(2))
        return found.group(1) + base if any(v.match(base) for v in verbs) else found.group()

    return re.sub(r"(\b(?:and|or) )(\w+s)\b", plain, text)


def _base(verb: str) -> str:
    """The base form of an English verb in the third person."""
    found = _BASE_EN.match(verb)
    if found is None:
        return verb
    stem, end = found.group("stem"), found.group("end")
    if end == "ies":
        return stem + "y"
    return stem if end == "s" or stem.endswith(("ch", "sh", "ss", "x", "o")) else stem + "e"


def _german(statement: Statement, text: str, cues: Cues, before: str) -> Wish | None:
    found = _MODAL_DE.match(text)
    if found and word_count(found.group("subject")) <= MAX_SUBJECT_WORDS:
        subject, modal = found.group("subject"), found.group("modal").casefold()
        if _PRONOUNS.match(subject) and before:
            subject = before
        action = re.sub(r"(?<=\w)\s+(?:können|dürfen)$", "", found.group("action"))
        negated = cues.has("negative", action)
        party = _party(subject, cues)
        if modal in ("kann", "können") and party is Party.THING:
            return None
        return Wish(statement, party, subject, action, modal, negated)
    if (found := _PROVIDE_DE.match(text)) and not statement.is_a("out"):
        return Wish(statement, Party.CLIENT, "", "", "brauchen", thing=found.group("thing"))
    if (
        statement.section is Section.WANT
        and word_count(text) <= MAX_SUBJECT_WORDS + 1
        and not statement.is_a("negative")
    ):
        return Wish(statement, Party.SYSTEM, "", "", "", thing=text)
    return None


def _party(subject: str, cues: Cues) -> Party:
    if re.fullmatch(r"(?:we|i|us|our (?:team|staff|people)|wir|ich|man)", subject, re.IGNORECASE):
        return Party.CLIENT
    if _SYSTEM_EN.match(subject) or re.match(
        r"(?:das|die|der|unser|ein)\w* (?:neue\w* )?\w*(?:system|app|anwendung|"
        r"software|portal|website|plattform|lösung)$",
        subject,
        re.IGNORECASE,
    ):
        return Party.SYSTEM
    person = person_at_start(subject, cues)
    rest = subject[len(person) :]
    return Party.PEOPLE if person and (not rest or _GOES_ON.match(rest)) else Party.THING


def title(wish: Wish | None, statement: Statement) -> str:
    """A few of the sentence's words that name what is asked for."""
    if wish is None:
        return without_condition(bare(statement.text))
    if wish.whole:
        return without_condition(bare(statement.text))
    if wish.negated:
        return capital(bare(statement.text))
    if wish.party is Party.THING and not wish.modal.endswith("be able to"):
        return capital(f"{wish.subject}: {re.sub(r'^(?:be|werden) ', '', wish.action)}")
    return capital(bare(wish.core))


def without_condition(text: str) -> str:
    """The sentence from where it says what happens."""
    found = _CONDITION.match(text)
    return capital(found.group("rest") if found else text)
