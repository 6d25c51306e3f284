"""ShipEngine's error body: a request id and a list of errors with source, type and code."""

from __future__ import annotations

import uuid

from werkzeug.wrappers import Response

from sandbox.wire import Json, reply

_NAMESPACE = uuid.UUID("5f1d6c50-6f7f-4f1c-9a54-8c3f5b0a7e11")


def engine_problem(
    status: int, error_type: str, code: str, message: str, field: str | None = None
) -> Response:
    """An error of ShipEngine's own (``error_source`` tells it from a carrier's)."""
    error: Json = {
        "error_source": "shipengine",
        "error_type": error_type,
        "error_code": code,
        "message": message,
    }
    if field is not None:
        error["field_name"] = field
    number = request_id(f"{status}:{code}:{message}")
    return reply({"request_id": number, "errors": [error]}, status)


def request_id(text: str) -> str:
    """A UUID derived from a text, not drawn: the same run gives the same bytes."""
    return str(uuid.uuid5(_NAMESPACE, text))
