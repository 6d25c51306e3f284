"""Bytes and values that have broken parsers before, and ways to spoil what was well."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

TEXTS = (
    *("", " ", "\x00", "a\x00b", "\u202eevil", "\u2066x\u2069", "\ufeff", "a\u200bb", "\x1b[2J"),
    *("\r\nX-Injected: 1", "\n", "x" * 5_000, "\U0001f600" * 50, "I\u0307", "ﬀ", "e\u0301" * 20),
    *("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "'; DROP TABLE orders; --", "' OR 1=1 --", "%"),
    *("../../etc/passwd", "..\\..\\x", "/etc/passwd", "file:///etc/passwd", "CON", "\\\\host\\x"),
    *("{{7*7}}", "${7*7}", "%s%n", "{0.__class__}", "__class__", "<script>alert(1)</script>"),
    *("NaN", "Infinity", "-0", "1e999", "1_000", "٣", "1.234,56", "0x10", "9" * 400, "1" * 5_000),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59+23:59", "2026-02-30", "2026-13-01T00:00:00"),
    *("http://169.254.169.254/", "https://[::1]/", "https://user:pw@host/", "//evil.example/"),
    *("null", "true", "[]", "{}", "a" * 300 + "\u0130", "\u2028", "\x85"),
)

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**64), 10**30, 0.1, -0.0, 1e308, 1e-308),
    *([], {}, [[]], [None], {"": None}, [{}], {"a": {"b": {"c": []}}}, [1, "a", None]),
    *TEXTS,
)

_RAW = (
    *(b"NaN", b"Infinity", b"-Infinity", b"1e99999", b"-1E-99999", b"0.1e", b"01", b"+1", b".5"),
    *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b"'x'"),
    *(b"undefined", b"1" * 4_400, b"1" * 1_000_000, b"[" * 600 + b"]" * 600, b"1" * 400),
    *(b"[" * 10_000 + b"]" * 10_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b'"' + b"x" * 10**6),
)
"""Pieces that ``json.dumps`` would not write, put where a value was."""

_MARK = "\u2603MARK\u2603"


def spoiled(rng: Random, body: bytes) -> bytes:
    """A body that was JSON, and may still be."""
    return rng.choice(_WAYS)(rng, body)


def spoiled_value(rng: Random, value: Any) -> Any:
    """A copy of a decoded document in which one value is another, gone, twice or moved."""
    copy = json.loads(json.dumps(value))
    holders = list(_holders(copy))
    if not holders:
        return rng.choice(VALUES)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        holder = rng.choice(holders)
        if not holder:
            continue
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        match rng.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.extend(holder[:3])
            case 1:
                holder[rng.choice(TEXTS)[:50]] = holder[key]
            case _:
                holder[key] = rng.choice(VALUES)
    return copy


def _holders(value: Any) -> list[Any]:
    found, left = [], [value]
    while left:
        one = left.pop()
        if isinstance(one, dict | list):
            found.append(one)
            left.extend(one.values() if isinstance(one, dict) else one)
    return found


def _structure(rng: Random, body: bytes) -> bytes:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return noisy(rng, body)
    return json.dumps(spoiled_value(rng, value), ensure_ascii=rng.random() < 0.5).encode(
        "utf-8", "surrogatepass"
    )


def _raw_value(rng: Random, body: bytes) -> bytes:
    """A value replaced by text that no encoder writes."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return noisy(rng, body)
    holders = [one for one in _holders(value) if one]
    if not holders:
        return rng.choice(_RAW)
    holder = rng.choice(holders)
    key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    holder[key] = _MARK
    # The long ones are rare: each costs as much as a hundred others.
    piece = rng.choice(_RAW if rng.random() < 0.05 else _RAW[:17])
    return json.dumps(value, ensure_ascii=False).encode().replace(f'"{_MARK}"'.encode(), piece)


def _doubled_key(rng: Random, body: bytes) -> bytes:
    place = body.find(b"{", rng.randrange(max(len(body), 1)))
    if place < 0:
        return body + body
    names = [b"id", b"total", b"status", b"currency", b"sku", b"quantity", b"orders", b"errors"]
    return body[: place + 1] + b'"%b": "x", ' % rng.choice(names) + body[place + 1 :]


def _cut(rng: Random, body: bytes) -> bytes:
    return body[: rng.randrange(max(len(body), 1))]


def noisy(rng: Random, body: bytes) -> bytes:
    """A few bytes changed, put in or taken out."""
    made = bytearray(body or b"{}")
    for _ in range(rng.choice((1, 2, 8))):
        place = rng.randrange(len(made)) if made else 0
        match rng.randrange(3):
            case 0 if made:
                made[place] = rng.randrange(256)
            case 1:
                made[place:place] = rng.randbytes(rng.choice((1, 3, 40)))
            case _:
                del made[place : place + rng.choice((1, 5, 100))]
    return bytes(made)


def _framed(rng: Random, body: bytes) -> bytes:
    """Something around it, or something else altogether."""
    return rng.choice(
        (
            b"\xef\xbb\xbf" + body,
            b"\xff\xfe" + body.decode("utf-8", "replace").encode("utf-16-le"),
            body + b"trailing",
            body + body,
            b")]}',\n" + body,
            b"<html><body>Maintenance</body></html>",
            b"",
            b"null",
            b"[]",
            b"{}",
            b'"text"',
            b"\x00" * 20,
            b'{"errors": [{"message": "no", "code": "X"}]}',
            b'{"errors": [[1], null, {"message": {"a": 1}}]}',
            b"[" + body + b"]",
            b'{"data": ' + body + b"}",
        )
    )


_WAYS: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(_structure, _structure, _structure, _structure, _raw_value, _raw_value),
    *(_doubled_key, _cut, noisy, _framed),
)
