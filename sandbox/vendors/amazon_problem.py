"""The one error shape of the Selling Partner API."""

from __future__ import annotations

from werkzeug.wrappers import Response

from sandbox.wire import reply


def sp_problem(status: int, code: str, message: str) -> Response:
    """``{"errors": [{code, message, details}]}``."""
    return reply({"errors": [{"code": code, "message": message, "details": ""}]}, status)
