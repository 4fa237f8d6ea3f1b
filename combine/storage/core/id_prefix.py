"""Ids as people type them: the beginning is enough."""

from __future__ import annotations

import re
from uuid import UUID

from combine.errors import Invalid

SHORTEST = 4
_DIGITS = 32


def uuid_range(text: str) -> tuple[UUID, UUID] | None:
    """The first and the last UUID that begin with ``text``; dashes and case do not matter. None: it is no beginning.

    Raises Invalid below four digits.
    """
    digits = text.strip().lower().replace("-", "")
    if len(digits) > _DIGITS or re.fullmatch("[0-9a-f]+", digits) is None:
        return None
    if len(digits) < SHORTEST:
        raise Invalid(f"{text!r} is too short: give at least {SHORTEST} digits of the id.", code="id_short")
    return UUID(digits.ljust(_DIGITS, "0")), UUID(digits.ljust(_DIGITS, "f"))
