"""Webhooks: what proves that one came from the vendor, and what it is about.

Signatures are compared as the text that was sent, in constant time and against every secret that
is in force, so that neither the time an answer takes nor a second spelling of the same bytes
tells or wins anything.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from pydantic import SecretStr, field_validator

from connectors.base import Config, Hook
from connectors.errors import HookRefused
from connectors.replies import UNREADABLE

SECRET_MIN_BYTES = 24
LONGEST_TEXT = 200
"""Characters of a vendor's word that are kept."""


class HookConfig(Config):
    """Settings of a connector that receives webhooks."""

    webhook_secret: SecretStr | None = None
    """Proves that webhooks come from the vendor; without it none are taken."""
    webhook_secret_before: SecretStr | None = None
    """The one before, still good while the secret is changed."""

    @field_validator("webhook_secret", "webhook_secret_before")
    @classmethod
    def _is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(cls.hook_key(value.get_secret_value())) < SECRET_MIN_BYTES:
            raise ValueError(f"a webhook secret has {SECRET_MIN_BYTES} bytes or more")
        return value

    @classmethod
    def hook_key(cls, secret: str) -> bytes:
        """The bytes that a secret stands for."""
        return secret.encode()

    def hook_keys(self) -> tuple[bytes, ...]:
        """Every key in force; none: webhooks are not taken."""
        if self.webhook_secret is None:
            return ()
        given = (self.webhook_secret, self.webhook_secret_before)
        return tuple(self.hook_key(one.get_secret_value()) for one in given if one is not None)


def signatures(keys: Iterable[bytes], content: bytes) -> list[bytes]:
    """base64(HMAC-SHA256) of ``content`` by each key."""
    return [base64.b64encode(hmac.digest(key, content, "sha256")) for key in keys]


def require_proof(given: Sequence[str], expected: Sequence[bytes]) -> None:
    """Raise ``HookRefused`` unless one of the texts ``given`` is one of those ``expected``."""
    if not any(given):
        raise HookRefused("unsigned")
    proven = False
    for text in given:
        for wanted in expected:
            # Every pair, also after a match: the time must not tell which secret it was.
            proven |= hmac.compare_digest(text.encode("utf-8", "replace"), wanted)
    if not proven:
        raise HookRefused("signature")


def require_fresh(stamp: str, now: datetime, tolerance_s: float) -> None:
    """Raise ``HookRefused`` unless ``stamp`` (Unix seconds) is at most so far from ``now``."""
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < _LONGEST_STAMP):
        raise HookRefused("unsigned")
    if abs(now.timestamp() - int(stamp)) > tolerance_s:
        raise HookRefused("stale")


_LONGEST_STAMP = 15


class _Subject(msgspec.Struct):
    """What webhooks say of themselves, by the names that our vendors use."""

    id: int | str | None = None
    date_modified_gmt: str | None = None
    resource_type: str | None = None
    resource_url: str | None = None


_read = msgspec.json.Decoder(_Subject).decode


def subject_of(body: bytes) -> _Subject:
    """What the body says it is about; nothing where it says it in no way we know."""
    try:
        return _read(body)
    except UNREADABLE:
        return _Subject()


def hook(event_id: str, topic: str, external_id: object, version: str | None) -> Hook:
    """A hook of words that came from outside: cut, and without what no database takes."""
    told = "" if external_id is None else str(external_id)
    return Hook(event_id, _plain(topic), _plain(told), _plain(version or ""))


def _plain(text: str) -> str:
    return "".join(c for c in text[:LONGEST_TEXT] if c.isprintable())
