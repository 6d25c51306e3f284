"""Random payloads: what vendors send, what they should not, and what an attacker would."""

from __future__ import annotations

import json
import typing
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Literal

import msgspec

from mappings import canonical, fieldtypes
from mappings.canonical import Record

KEYS = (
    *("id", "number", "sku", "total", "currency", "status", "date", "lines", "address", "name"),
    *("quantity", "tracking", "country", "phone", "a", "b", "c", "n", "Ünï-ço∂é", "with space"),
    # Names that mean something to Python, to the compiler or to JMESPath, and nothing here.
    *("__class__", "__globals__", "__builtins__", "__dict__", "f_globals", "import", "None"),
    *("lambda", "self", "k7", "v1", "get", "payload", "spend", "mapped", "keys", "", "@", "$", "^"),
)

_TEXTS = (
    *("", " ", "EUR", "USD", "XXX", "paid", "shipped", "12.50", "-3", "0", "1,5", "1e5", "NaN"),
    *("Infinity", "1e999999999", "-1E-999999999", "9" * 30, "1" * 5_000, "1_000", "٣", "true"),
    *("2026-11-21T10:00:00", "2026-11-21", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23"),
    *("DE", "Deutschland", "Bayern", "80331", "+49 170 1234567", "1Z5R89390357567127"),
    *("<b>Mug</b> &amp; &#0;", "{{7*7}}", "${x}", "'; --", "\u202egnp.exe", "a\u200bb"),
    *("\ufeff", "\U0001f600" * 40, "__import__('os')", "x" * 3_000),
)

_NUMBERS = (
    *(0, 1, -1, 2, 7, 10**6, 2**63, -(2**64), 10**40, 10**400, 0.1, -0.0, 1e300, 1e-300, 12.5),
    10.799999999999999,
)

_ODD = ("\ud800", "\x00", float("nan"), float("inf"), float("-inf"))
"""What JSON cannot say, or no database keep: rare, since one of them refuses the whole payload."""


def random_payload(rng: Random) -> dict[str, Any]:
    """An object of a few to a few dozen values."""
    if rng.random() < 0.01:
        return {rng.choice(KEYS): _deep(rng, rng.choice([50, 300]))}
    if rng.random() < 0.02:
        return {key: [{"a": 1, "b": [1, 2, 3]}] * rng.choice([100, 3_000]) for key in KEYS[:8]}
    return {key: random_value(rng, 4) for key in rng.sample(KEYS, rng.randrange(3, len(KEYS)))}


def random_bytes(rng: Random) -> bytes:
    """What may be JSON: cut off, of another encoding, nested without end, twice the same key."""
    kind = rng.randrange(8)
    if kind == 0:
        levels = rng.choice((900, 1_100, 100_000))
        return b'{"lines": ' + b"[" * levels + b"]" * levels + b"}"
    if kind == 1:
        key = json.dumps(rng.choice(KEYS)).encode()
        return b"{" + b", ".join(b"%s: %d" % (key, n) for n in range(3)) + b"}"
    if kind == 2:
        number = rng.choice((b"1" * 5_000, b"1e999999999", b"-1E400", b"01", b"NaN", b"-"))
        return b'{"%s": %s}' % (rng.choice(KEYS[:10]).encode(), number)
    content = json.dumps(random_payload(rng), ensure_ascii=False).encode("utf-8", "surrogatepass")
    if kind == 3:
        return content[: rng.randrange(len(content))]
    if kind == 4:
        at = rng.randrange(len(content))
        return content[:at] + bytes([rng.randrange(256)]) + content[at:]
    if kind == 5:
        return content.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-8-sig")))
    return rng.choice((b"", b"null", b"[]", b'"x"', b"1", b"{}", content, b"\xff{}"))


def random_value(rng: Random, depth: int) -> Any:
    """Any JSON, at most ``depth`` levels of it."""
    kind = rng.random()
    if depth and kind < 0.18:
        return {rng.choice(KEYS): random_value(rng, depth - 1) for _ in range(rng.randrange(6))}
    if depth and kind < 0.36:
        return [random_value(rng, depth - 1) for _ in range(rng.randrange(5))]
    if kind < 0.46:
        return rng.choice((None, True, False))
    if rng.random() < 0.003:
        return rng.choice(_ODD)
    return rng.choice(_NUMBERS if kind < 0.7 else _TEXTS)


def _deep(rng: Random, levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if rng.random() < 0.5 else {rng.choice(KEYS): value}
    return value


def random_record(rng: Random, kind: type[Record]) -> Record:
    """A canonical record with arbitrary values of the right types."""
    return kind(
        **{
            name: _of_type(rng, info.type)
            for name, info in fieldtypes.record_fields(kind).items()
            if info.required or rng.random() < 0.7
        }
    )


def _of_type(rng: Random, hint: Any) -> Any:
    if type(None) in fieldtypes.members(hint) and rng.random() < 0.3:
        return None
    repeated = fieldtypes.repeated_record(hint)
    if repeated is not None:
        return tuple(random_record(rng, repeated) for _ in range(rng.randrange(4)))
    nested = fieldtypes.nested_record(hint)
    if nested is not None:
        return random_record(rng, nested)
    plain = fieldtypes.without_none(hint)
    if typing.get_origin(plain) is Literal:
        return rng.choice(typing.get_args(plain))
    choices: dict[Any, Sequence[Any]] = {
        str: _TEXTS,
        int: [n for n in _NUMBERS if isinstance(n, int)],
        bool: (True, False),
        Decimal: (Decimal(1), Decimal("-1.50"), Decimal("1E+30"), Decimal("1E-30")),
        datetime: (
            datetime(2026, 11, 21, tzinfo=UTC),
            datetime.min.replace(tzinfo=UTC),
            datetime.max.replace(tzinfo=UTC) - timedelta(days=1),
        ),
    }
    return rng.choice(choices[plain])


RECORDS: Sequence[type[Record]] = [
    kind
    for kind in vars(canonical).values()
    if isinstance(kind, type) and issubclass(kind, Record) and kind is not Record
]
"""All canonical records."""

assert all(issubclass(kind, msgspec.Struct) for kind in RECORDS)
