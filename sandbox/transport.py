"""Into the sandbox without sockets: losses on the way become what httpx would raise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from sandbox.faults import NeverArrived, ReplyDropped

if TYPE_CHECKING:
    from sandbox.app import Sandbox


class SandboxTransport(httpx.BaseTransport):
    """Wraps the WSGI application.

    A request that never arrived raises ``httpx.ConnectError``, a lost reply
    ``httpx.ReadTimeout``, both with the request attached.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._inner = httpx.WSGITransport(app=sandbox.wsgi)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._inner.handle_request(request)
        except NeverArrived as lost:
            raise httpx.ConnectError(str(lost), request=request) from lost
        except ReplyDropped as lost:
            raise httpx.ReadTimeout(str(lost), request=request) from lost
