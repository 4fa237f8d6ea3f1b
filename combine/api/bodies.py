"""What request bodies are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from combine.formats import is_storable


class Body(BaseModel):
    """A JSON object with these fields and no others, and no text that cannot be stored."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, given: Any) -> Any:
        try:
            storable = _is_storable(given)
        except RecursionError:
            msg = "this is nested too deeply"
            raise ValueError(msg) from None
        if not storable:
            msg = "text must not contain control characters or lone surrogates"
            raise ValueError(msg)
        return given


def _is_storable(given: Any) -> bool:
    if isinstance(given, str):
        return is_storable(given)
    if isinstance(given, Mapping):
        return all(_is_storable(key) and _is_storable(value) for key, value in given.items())
    return not isinstance(given, list) or all(map(_is_storable, given))
