"""T1: a webhook that anything signed was changed in, or that somebody else signed, is never taken.

Genuine webhooks of the vendors are changed in one way at a time. The genuine ones themselves are
sent at the end: a receiver that refuses everything would prove nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from unittest import mock

from connectors import hooks as proving
from connectors import shipbob_hooks, woo_hooks
from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.hooks import rig as rigs
from sandbox.hooks import Event, headers_of

MUTATIONS = {"pull-request": 2_000, "nightly": 50_000}
PLANTED_MUTATIONS = 400


class Sent(NamedTuple):
    """A webhook on its way to an address. ``secret``: what it was signed with."""

    name: str
    headers: dict[str, str]
    body: bytes
    secret: str


Mutate = Callable[[random.Random, Sent], Sent]


def genuine(now: datetime, count: int, dice: random.Random) -> list[Sent]:
    """Webhooks as the vendors send them, one after the other of a kind."""
    made = []
    for number in range(count):
        subscription = rigs.woo() if number % 2 else rigs.bob()
        body = {
            "id": 1000 + number,
            "status": dice.choice(["processing", "completed", "Fulfilled"]),
            "total": f"{dice.randrange(1, 99_999) / 100:.2f}",
            "note": dice.choice(["caf\u00e9", "plain", "\u2028", "5 < 6 & 7"]),
            "lines": [{"sku": f"S{n}", "quantity": n} for n in range(dice.randrange(1, 4))],
        }
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        topic = "order.updated" if number % 2 else "order.shipped"
        event = Event(f"msg_{number:08d}", subscription, topic, text)
        name = rigs.SHOP if number % 2 else rigs.BOB
        made.append(Sent(name, headers_of(event, now), text, subscription.secret))
    return made


def _signature_header(sent: Sent) -> str:
    return shipbob_hooks.SIGNATURE if sent.name == rigs.BOB else woo_hooks.SIGNATURE


def _key(sent: Sent) -> bytes:
    return shipbob_hooks.key_of(sent.secret) if sent.name == rigs.BOB else sent.secret.encode()


def _signed(sent: Sent) -> bytes:
    if sent.name != rigs.BOB:
        return sent.body
    head = f"{sent.headers[shipbob_hooks.ID]}.{sent.headers[shipbob_hooks.STAMP]}."
    return head.encode() + sent.body


def _with_signature(sent: Sent, text: str) -> Sent:
    return sent._replace(headers={**sent.headers, _signature_header(sent): text})


def _signed_by(sent: Sent, key: bytes, digest: str = "sha256") -> Sent:
    text = base64.b64encode(hmac.digest(key, _signed(sent), digest)).decode()
    return _with_signature(sent, f"v1,{text}" if sent.name == rigs.BOB else text)


def flipped_bit(dice: random.Random, sent: Sent) -> Sent:
    body = bytearray(sent.body)
    body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
    return sent._replace(body=bytes(body))


def serialised_again(dice: random.Random, sent: Sent) -> Sent:
    parsed = json.loads(sent.body)
    indent, ascii_only = dice.choice([(None, True), (2, True), (None, False), (1, False)])
    return sent._replace(body=json.dumps(parsed, indent=indent, ensure_ascii=ascii_only).encode())


def keys_in_another_order(dice: random.Random, sent: Sent) -> Sent:
    items = list(json.loads(sent.body).items())
    dice.shuffle(items)
    text = json.dumps(dict(items), ensure_ascii=False, separators=(",", ":"))
    return sent._replace(body=text.encode())


def cut_or_longer(dice: random.Random, sent: Sent) -> Sent:
    body = sent.body
    return sent._replace(
        body=dice.choice([body[:-1], body + b" ", b" " + body, body + b"\n", body * 2, b"", b"{}"])
    )


def another_amount(dice: random.Random, sent: Sent) -> Sent:
    parsed = {**json.loads(sent.body), "total": "0.01", "id": dice.randrange(10**6)}
    return sent._replace(body=json.dumps(parsed, separators=(",", ":")).encode())


def another_case(dice: random.Random, sent: Sent) -> Sent:
    text = sent.headers[_signature_header(sent)]
    places = [n for n, c in enumerate(text) if c.isalpha() and n > len("v1,")]
    at = dice.choice(places)
    return _with_signature(sent, text[:at] + text[at].swapcase() + text[at + 1 :])


def mangled_signature(dice: random.Random, sent: Sent) -> Sent:
    text = sent.headers[_signature_header(sent)]
    at = dice.randrange(len(text))
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in text)
    shorter = text[: dice.randrange(len(text))]
    return _with_signature(
        sent,
        dice.choice(
            [shorter, f"{text}=", f"{text}A", text[:at] + "*" + text[at + 1 :], wide, "=", "null"]
        ),
    )


def no_signature(dice: random.Random, sent: Sent) -> Sent:
    left = {k: v for k, v in sent.headers.items() if k != _signature_header(sent)}
    moved = {f"x-{_signature_header(sent)}": sent.headers[_signature_header(sent)]}
    return sent._replace(headers=dice.choice([left, {**left, **moved}]))


def another_key(dice: random.Random, sent: Sent) -> Sent:
    keys = [
        rigs.OTHER_WOO_SECRET.encode(),
        shipbob_hooks.key_of(rigs.OTHER_BOB_SECRET),
        b"",
        b"\0",
        b"secret",
        _key(sent)[:-1],
        _key(sent) + b"\n",
        sent.secret.upper().encode(),
        b"" if sent.name != rigs.BOB else sent.secret.encode(),
    ]
    return _signed_by(sent, dice.choice(keys))


def another_digest(dice: random.Random, sent: Sent) -> Sent:
    name = dice.choice(["sha1", "sha512", "sha384", "md5", "sha224", "sha3_256"])
    return _signed_by(sent, _key(sent), name)


def another_construction(dice: random.Random, sent: Sent) -> Sent:
    key, content = _key(sent), _signed(sent)
    digest = hmac.digest(key, content, "sha256")
    plain = hashlib.sha256(key + content).digest()
    texts = [digest.hex(), digest.hex().upper(), base64.b64encode(plain).decode()]
    texts.append(base64.b64encode(digest.hex().encode()).decode())
    text = dice.choice(texts)
    return _with_signature(sent, f"v1,{text}" if sent.name == rigs.BOB else text)


def another_scheme(dice: random.Random, sent: Sent) -> Sent:
    text = sent.headers[_signature_header(sent)]
    if sent.name != rigs.BOB:
        return _with_signature(sent, f"sha256={text}")
    bare = text.removeprefix("v1,")
    return _with_signature(sent, dice.choice([bare, f"v2,{bare}", f"v1a,{bare}", f"V1,{bare}"]))


def another_envelope(dice: random.Random, sent: Sent) -> Sent:
    """Id or time of a signed envelope; where there is none, the other vendor's headers are."""
    if sent.name != rigs.BOB:
        return sent._replace(name=rigs.OTHER_SHOP)
    stamp = int(sent.headers[shipbob_hooks.STAMP])
    change = dice.choice(
        [
            {shipbob_hooks.ID: "msg_another"},
            {shipbob_hooks.ID: ""},
            {shipbob_hooks.ID: f"{sent.headers[shipbob_hooks.ID]}.{stamp}"},
            {shipbob_hooks.STAMP: str(stamp + dice.choice([-200, -1, 1, 200]))},
            {shipbob_hooks.STAMP: f"{stamp}.0"},
            {shipbob_hooks.STAMP: f" {stamp}"},
            {shipbob_hooks.STAMP: f"+{stamp}"},
        ]
    )
    return sent._replace(headers={**sent.headers, **change})


def signature_of_another(dice: random.Random, sent: Sent) -> Sent:
    """A genuine signature, of something else that was seen."""
    seen = sent._replace(body=b'{"id":%d}' % dice.randrange(10**6))
    return _with_signature(sent, _signed_by(seen, _key(seen)).headers[_signature_header(sent)])


MUTATORS: Sequence[Mutate] = (
    flipped_bit,
    serialised_again,
    keys_in_another_order,
    cut_or_longer,
    another_amount,
    another_case,
    mangled_signature,
    no_signature,
    another_key,
    another_digest,
    another_construction,
    another_scheme,
    another_envelope,
    signature_of_another,
)


def mutated(sents: Sequence[Sent], count: int, dice: random.Random) -> Iterator[tuple[str, Sent]]:
    """``count`` forgeries, each unlike what it was made of."""
    made = 0
    while made < count:
        mutate = MUTATORS[made % len(MUTATORS)]
        original = sents[dice.randrange(len(sents))]
        forged = mutate(dice, original)
        if forged != original:
            made += 1
            yield mutate.__name__, forged


def attack(
    rig: rigs.Rig, count: int, seed: int, met: Counter[str], budget: Budget | None = None
) -> list[str]:
    """Send forgeries, then the genuine ones; what was taken and should not have been, and the
    reverse."""
    dice = random.Random(f"{seed}:forgery")
    sents = genuine(rig.clock.now(), 20, dice)
    before, wanted = len(rig.events()), rig.wants()
    wrong = []
    forgeries = (budget or Budget()).over(mutated(sents, count, dice))
    for number, (kind, sent) in enumerate(forgeries):
        met[kind] += 1
        status = rig.receive(sent.name, sent.headers, sent.body).status
        if status < 400:
            wrong.append(f"forgery {number} ({kind}) was answered {status}")
    if len(rig.events()) != before or rig.wants() != wanted:
        wrong.append(f"{len(rig.events()) - before} forgeries were kept")
    refused = [sent for sent in sents if rig.receive(*sent[:3]).status != 200]
    wrong += [f"genuine webhook to {sent.name} refused" for sent in refused]
    return wrong


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """``budget_s``: real seconds; null: all forgeries."""
    started, met, budget = time.process_time(), Counter[str](), Budget(budget_s)
    noticed = rigs.planted(BUGS, lambda: _fresh_attack(seed))
    with rigs.rig(seed) as rig:
        violations = attack(rig, MUTATIONS[size], seed, met, budget)
    return Evidence(
        claim="T1",
        title="A forged webhook is never taken",
        command=f"python -m proof T1 --size {size} --seed {seed}",
        runs=sum(met.values()),
        unit="forgeries",
        seeds=str(seed),
        injections=dict(met),
        violations=violations,
        planted=noticed,
        figures=reached(size, sum(met.values()), MUTATIONS[size]),
        cpu_s=round(time.process_time() - started, 2),
    )


def _fresh_attack(seed: int) -> list[str]:
    with rigs.rig(seed) as rig:
        return attack(rig, PLANTED_MUTATIONS, seed, Counter())


def _parsed_first(keys: Any, content: bytes) -> list[bytes]:
    """Signs what the body means, as one does who lets a framework parse it first."""
    head, brace, body = content.partition(b"{")
    try:
        parsed = json.dumps(json.loads(brace + body), ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        return proving.signatures(keys, content)
    return proving.signatures(keys, head + parsed.encode())


def _compare_the_beginning(given: Any, wanted: Any) -> bool:
    return bytes(given)[:6] == bytes(wanted)[:6]


def _compare_in_one_case(given: Any, wanted: Any) -> bool:
    return bytes(given).lower() == bytes(wanted).lower()


def _any_digest(keys: Any, content: bytes) -> list[bytes]:
    names = ("sha256", "sha1", "sha512")
    return [base64.b64encode(hmac.digest(k, content, name)) for k in keys for name in names]


def _only_when_there(given: Sequence[str], expected: Sequence[bytes]) -> None:
    if any(given):
        proving.require_proof(given, expected)


def _hex_too(keys: Any, content: bytes) -> list[bytes]:
    keys = list(keys)
    spelt = [hmac.digest(key, content, "sha256").hex().encode() for key in keys]
    return [*proving.signatures(keys, content), *spelt]


def _also(more: Sequence[bytes], keys: Any, content: bytes) -> list[bytes]:
    return proving.signatures([*keys, *more], content)


@contextmanager
def _both(name: str, value: Any) -> Iterator[None]:
    """The same in the modules of both vendors."""
    with mock.patch.object(woo_hooks, name, value), mock.patch.object(shipbob_hooks, name, value):
        yield


_FOREIGN = (rigs.OTHER_WOO_SECRET.encode(), shipbob_hooks.key_of(rigs.OTHER_BOB_SECRET))

BUGS: dict[str, Callable[[], Any]] = {
    "the signature is of the parsed body": lambda: _both("signatures", _parsed_first),
    "only the beginning is compared": lambda: mock.patch.object(
        hmac, "compare_digest", _compare_the_beginning
    ),
    "upper and lower case are the same": lambda: mock.patch.object(
        hmac, "compare_digest", _compare_in_one_case
    ),
    "any digest is taken": lambda: _both("signatures", _any_digest),
    "hexadecimal is taken too": lambda: _both("signatures", _hex_too),
    "what is not signed is let through": lambda: _both("require_proof", _only_when_there),
    "an empty key is in force": lambda: _both("signatures", partial(_also, [b""])),
    "all accounts' keys are in force": lambda: _both("signatures", partial(_also, _FOREIGN)),
}
