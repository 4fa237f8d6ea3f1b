"""Valid project names."""

from __future__ import annotations

from unicodedata import normalize

from combine.errors import Invalid

MAX_PROJECT_NAME = 120


def regular(text: str) -> str:
    """The normalised name, used for storing and searching: names that look the same are equal."""
    return normalize("NFC", " ".join(text.split()))


def project_name(text: str) -> str:
    """The name with spaces and accents normalised. Raises Invalid for an invalid name."""
    name = regular(text)
    if not name or len(name) > MAX_PROJECT_NAME or not name.isprintable():
        raise Invalid(
            f"{text[:80]!r} is not a valid project name; use 1 to {MAX_PROJECT_NAME} printable characters.",
            code="project_name_invalid",
            hint="Set the name with --project NAME.",
        )
    return name
