"""Id prefixes, as typed by users."""

from __future__ import annotations

import re
from uuid import UUID

from combine.errors import Invalid

SHORTEST = 4
_DIGITS = 32


def uuid_range(text: str) -> tuple[UUID, UUID] | None:
    """The first and last UUID that start with ``text``; dashes and case are ignored. None: not a prefix of a UUID.

    Raises Invalid below four digits.
    """
    digits = text.strip().lower().replace("-", "")
    if len(digits) > _DIGITS or re.fullmatch("[0-9a-f]+", digits) is None:
        return None
    if len(digits) < SHORTEST:
        raise Invalid(f"{text!r} is too short: use at least {SHORTEST} digits of the ID.", code="id_short")
    return UUID(digits.ljust(_DIGITS, "0")), UUID(digits.ljust(_DIGITS, "f"))
