"""AES-256-GCM, which says what it encrypts belongs to: elsewhere it is not decrypted."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import msgspec

from state.errors import Tampered, VaultProblem

KEY_BYTES = 32
_NONCE_BYTES = 12
_LEFT_OUT = "Encryption needs its library: pip install 'crossdock[privacy]'"


def new_key() -> bytes:
    return os.urandom(KEY_BYTES)


def seal(key: bytes, plain: bytes, belongs_to: tuple[str, ...]) -> bytes:
    """A fresh nonce, then the ciphertext with its tag. A nonce must never come twice under one
    key: of 96 random bits that is no risk before thousands of millions under the same."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed: bytes = _aes(key).encrypt(nonce, plain, _bound(belongs_to))
    return nonce + sealed


def unseal(key: bytes, sealed: bytes, belongs_to: tuple[str, ...]) -> bytes:
    """Raises ``Tampered`` for what was changed, is under another key, or belongs elsewhere."""
    from cryptography.exceptions import InvalidTag

    try:
        plain: bytes = _aes(key).decrypt(
            sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(belongs_to)
        )
    except (InvalidTag, ValueError):
        where = " ".join(belongs_to)
        raise Tampered(
            f"what is encrypted in {where} was changed or belongs elsewhere: restore a backup"
        ) from None
    return plain


def _bound(belongs_to: tuple[str, ...]) -> bytes:
    """As JSON, so that no two lists of names give the same bytes."""
    return msgspec.json.encode(belongs_to)


def _aes(key: bytes) -> Any:
    return _library()(key)


@cache
def _library() -> Any:
    try:
        # Not at the top: only those who encrypt have it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise VaultProblem(_LEFT_OUT) from None
    return AESGCM
