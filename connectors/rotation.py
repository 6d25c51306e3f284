"""OAuth 2 grants whose refresh token changes with each use: the newest one outlives us in a file.

RFC 6749, section 6: the server may answer a new refresh token, and the old one is then void. So the
new one is on disk before anything is done with what came with it, and whoever shares the file takes
turns. What is lost between the server's answer and the disk only a person can authorise anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import msgspec
from pydantic import SecretStr

from connectors.dropfolder import reachable, write_atomically
from connectors.errors import ConfigProblem
from connectors.http import Door
from connectors.oauth import Grant, RefreshedToken, Token

_OURS_ALONE = 0o600


class _Kept(msgspec.Struct):
    """``first``: a hash of the token that ops gave; another one starts the chain anew."""

    first: str
    refresh_token: str


class TokenFile:
    """The newest refresh token of a chain that began with ``first``."""

    def __init__(self, path: Path, first: str) -> None:
        self._path = path
        self._first = first
        self._mark = hashlib.sha256(first.encode()).hexdigest()

    @contextmanager
    def turn(self) -> Iterator[str]:
        """The newest token, while nobody else on this machine uses or replaces it."""
        with reachable(self._path.parent):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, _OURS_ALONE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._newest()
        finally:
            os.close(lock)

    def keep(self, token: str) -> None:
        """Replace the newest token; on disk when this returns."""
        content = msgspec.json.encode(_Kept(self._mark, token))
        with reachable(self._path.parent):
            write_atomically(self._path, content, _OURS_ALONE)

    def _newest(self) -> str:
        try:
            with reachable(self._path.parent):
                content = self._path.read_bytes() if self._path.exists() else b""
            kept = msgspec.json.decode(content, type=_Kept) if content else None
        except msgspec.DecodeError:
            raise ConfigProblem(
                f"token_file: {self._path} holds no token of ours: remove it, and authorise the "
                "connection at the vendor again if the token in the settings is used up"
            ) from None
        return kept.refresh_token if kept and kept.first == self._mark else self._first


class RotatedToken(RefreshedToken):
    """As ``RefreshedToken``, with the refresh token that came last."""

    def __init__(self, door: Door, grant: Grant, path: Path) -> None:
        super().__init__(door, grant)
        self._grant = grant
        self._file = TokenFile(path, grant.refresh_token.get_secret_value())

    def _fetch(self) -> Token:
        with self._file.turn() as newest:
            grant = replace(self._grant, refresh_token=SecretStr(newest))
            token, body = self._exchange(urlencode(grant.form()).encode())
            following = body.get("refresh_token")
            if isinstance(following, str) and following not in ("", newest):
                self._file.keep(following)
        return token
