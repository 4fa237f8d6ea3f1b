"""What a project may be called."""

from __future__ import annotations

from unicodedata import normalize

from combine.errors import Invalid

MAX_PROJECT_NAME = 120


def regular(text: str) -> str:
    """A name as it is kept and looked for: what looks the same is the same, however accents and spaces are written."""
    return normalize("NFC", " ".join(text.split()))


def project_name(text: str) -> str:
    """The name with its spaces and accents made regular. Raises Invalid for one that cannot be used."""
    name = regular(text)
    if not name or len(name) > MAX_PROJECT_NAME or not name.isprintable():
        raise Invalid(
            f"{text[:80]!r} cannot name a project: give 1 to {MAX_PROJECT_NAME} printable characters.",
            code="project_name_invalid",
            hint="Name it with --project NAME.",
        )
    return name
