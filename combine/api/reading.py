"""How the body of a request is read: as JSON in UTF-8, as it is, and with the cause in words where it is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from combine.api.errors import compressed_body, faulty, no_json
from combine.api.faults import json_fault, said


class BodyRoute(APIRoute):
    """A route whose body, if it takes one, is read in this way."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What FastAPI calls for each request."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def read_and_handle(request: Request) -> Response:
            return await handle(_JsonRequest(request.scope, request.receive))

        return read_and_handle


class _JsonRequest(Request):
    async def body(self) -> bytes:
        """All of it; empty where there is none. Raises the 415."""
        body = await super().body()
        if body:
            if self.headers.get("content-encoding", "identity").strip().lower() != "identity":
                raise compressed_body()
            if not _is_json(self.headers.get("content-type", "")):
                raise no_json()
        return body

    async def json(self) -> Any:
        """The value. Raises the 422."""
        try:
            return json.loads((await self.body()).decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            found = said("body", f"this is no UTF-8: byte {error.start + 1} does not belong there")
        except json.JSONDecodeError as error:
            found = json_fault(error)
        except RecursionError:
            found = said("body", "this is nested too deeply")
        except ValueError:  # Python's bound on the digits of a whole number
            found = said("body", "a number in it has too many digits")
        raise faulty([found])


def _is_json(content_type: str) -> bool:
    message = Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))
