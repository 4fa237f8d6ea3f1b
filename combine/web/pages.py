"""Rendering: one Jinja environment that escapes everything and fails on undefined names."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from fastapi import Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_STATIC: Final = Path(__file__).parent / "static"
_TEMPLATES: Final = Path(__file__).parent / "templates"

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Static(StaticFiles):
    """The style sheet and other files that pages load. Browsers may cache them for an hour."""

    def __init__(self) -> None:
        super().__init__(directory=_STATIC)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """One file, with its Cache-Control."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(template: str, *, status: int = HTTPStatus.OK, **values: object) -> Response:
    """One page, never cached. Its policy blocks inline scripts and resources of other origins."""
    text = _environment().get_template(template).render(**values)
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return Response(text, status, headers, "text/html; charset=utf-8")
