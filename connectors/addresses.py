"""Addresses that cannot leave the host ops configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

import httpx

from connectors.errors import ConfigProblem, Rejected, Unreachable

Params = Mapping[str, str | int | Sequence[str] | None]
"""What is asked behind the question mark; a null one is left out."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class BaseUrl:
    """The address of a vendor's API, from configuration; everything else hangs below it."""

    def __init__(self, text: str, *, insecure_allowed: bool = False) -> None:
        """``insecure_allowed``: plain http also beyond loopback (in-process transports)."""
        url = _parse(text)
        if url is None or url.scheme not in ("https", "http") or not url.host:
            raise ConfigProblem(f"url: {text[:200]!r} is not an address. Write https://host/path.")
        if url.userinfo or url.query or url.fragment:
            raise ConfigProblem(
                f"url: the address for {url.host} must be scheme, host and path only. "
                "Put credentials into their own settings."
            )
        if url.scheme == "http" and not (insecure_allowed or url.host in _LOOPBACK):
            raise ConfigProblem(
                f"url: http://{url.host} would send the credentials in clear text. Use https://."
            )
        self._url = url
        self._text = str(url).rstrip("/")

    @property
    def host(self) -> str:
        return self._url.host

    def join(self, path: str, params: Params | None = None) -> httpx.URL:
        """``path`` below the base. Text from records goes through ``segment`` first.

        Raises ``ValueError`` for anything that could end elsewhere: that is a bug of a connector.
        """
        steps = unquote(path).split("/")
        if (
            not path.startswith("/")
            or not path.isascii()
            or "//" in path
            or {".", ".."} & set(steps)
            or set(path) & set("?#\\@ ")
        ):
            raise ValueError(f"not a plain path below the base url: {path!r}")
        given = {name: value for name, value in (params or {}).items() if value is not None}
        query = f"?{httpx.QueryParams(given)}" if given else ""
        return httpx.URL(f"{self._text}{path}{query}")

    def same_origin(self, url: httpx.URL) -> bool:
        return (url.scheme, url.host, url.port) == (
            self._url.scheme,
            self._url.host,
            self._url.port,
        )


def segment(text: str) -> str:
    """``text`` as one path segment. Raises ``Rejected`` where no server would take it as one."""
    if not text or {".", ".."} & set(text.split("/")):
        raise Rejected(f"{text!r} cannot be part of an address. Rename it at the vendor.")
    return quote(text, safe="")


def require_document_host(url: str, base: BaseUrl, hosts: Sequence[str]) -> httpx.URL:
    """The parsed ``url`` when it is on our base's own origin, or https on one of ``hosts``.

    Raises ``Unreachable``: the vendor's answer is not to be followed, and nothing was changed.
    """
    target = _parse(url)
    if target is not None and not target.userinfo:
        if base.same_origin(target):
            return target
        allowed = any(target.host == host or target.host.endswith(f".{host}") for host in hosts)
        if target.scheme == "https" and target.port is None and allowed:
            return target
    named = target.host if target is not None else "an unreadable address"
    raise Unreachable(f"{base.host} points to a document on {named[:100]!r}, which is not allowed")


def _parse(text: str) -> httpx.URL | None:
    try:
        return httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError):
        return None
