"""T3: a webhook of one account is not taken at the address of another, nor where none is open."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from connectors import shipbob_hooks
from connectors.hooks import HookConfig
from connectors.shipengine import PROOF
from jobs import settings_loader
from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.hooks import rig as rigs
from proof.hooks.forgery import Sent
from sandbox.hooks import Event, headers_of
from web.intake import Intake

ROUNDS = {"pull-request": 5, "nightly": 200}

_SENDERS = {
    rigs.SHOP: (rigs.WOO_SECRET, rigs.OLD_WOO_SECRET),
    rigs.OTHER_SHOP: (rigs.OTHER_WOO_SECRET,),
    rigs.BOB: (rigs.BOB_SECRET,),
    rigs.OTHER_BOB: (rigs.OTHER_BOB_SECRET,),
    rigs.LABELS: (rigs.LABEL_SECRET,),
    rigs.CLOSED_SHOP: ("",),
}
_ADDRESSES = (*_SENDERS, "nobody", "", "shop-eu/", "SHOP-EU", "..", "shop-eu%00")


def sent_by(name: str, secret: str, number: int, now: Any) -> Sent:
    """A webhook of this account, signed as its vendor does."""
    body = b'{"id":%d,"resource_type":"API_TRACK"}' % number
    if name == rigs.LABELS:
        return Sent(name, {PROOF: secret}, body, secret)
    is_shop = name in (rigs.SHOP, rigs.OTHER_SHOP, rigs.CLOSED_SHOP)
    subscription = rigs.woo(secret, name) if is_shop else rigs.bob(secret, name)
    event = Event(f"msg_{number}", subscription, subscription.topics[0], body)
    return Sent(name, headers_of(event, now), body, secret)


def attack(rig: rigs.Rig, met: Counter[str]) -> list[str]:
    """Every account's webhook to every address; says what was taken where it should not."""
    wrong: list[str] = []
    for name, secrets in _SENDERS.items():
        for secret, address in product(secrets, _ADDRESSES):
            sent = sent_by(name, secret, 1 + met.total(), rig.clock.now())
            status = rig.receive(address, sent.headers, sent.body).status
            own = address == name != rigs.CLOSED_SHOP
            met["to its own address" if own else "to another address"] += 1
            if own != (status == 200):
                wrong.append(f"{name} to {address!r} was answered {status}")
    return wrong + _one_secret_for_two()


def _one_secret_for_two() -> list[str]:
    """An operator gives two accounts the same secret: that is refused where it is read."""
    same = {**rigs.ENVIRONMENT, "PROOF_WOO_US": rigs.OLD_WOO_SECRET}
    try:
        with TemporaryDirectory() as folder:
            rigs.configuration(Path(folder), same)
    except settings_loader.SettingsProblem:
        return []
    return ["one secret for two accounts was taken"]


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """``budget_s``: real seconds; null: all rounds."""
    started, met, budget = time.process_time(), Counter[str](), Budget(budget_s)
    with rigs.rig(seed) as rig:
        noticed = rigs.planted(BUGS, lambda: attack(rig, Counter()))
        told = [attack(rig, met) for _ in budget.over(range(ROUNDS[size]))]
    return Evidence(
        claim="T3",
        title="A webhook is taken at its own account's address only",
        command=f"python -m proof T3 --size {size} --seed {seed}",
        runs=sum(met.values()),
        unit="webhooks",
        seeds=str(seed),
        injections=dict(met),
        violations=[wrong for found in told for wrong in found],
        planted=noticed,
        figures=reached(size, len(told), ROUNDS[size]),
        cpu_s=round(time.process_time() - started, 2),
    )


@contextmanager
def _more_keys(*more: bytes) -> Iterator[None]:
    """Have further keys in force at every address."""
    own = HookConfig.hook_keys
    with mock.patch.object(HookConfig, "hook_keys", lambda self: (*own(self), *more)):
        yield


def _any_spelling(name: str) -> str:
    return name.lower().strip("/")


def _found_by_any_spelling() -> Any:
    receive = Intake.receive
    return mock.patch.object(
        Intake, "receive", lambda self, name, *more: receive(self, _any_spelling(name), *more)
    )


_ALL_KEYS = (
    rigs.WOO_SECRET.encode(),
    rigs.OTHER_WOO_SECRET.encode(),
    rigs.LABEL_SECRET.encode(),
    shipbob_hooks.key_of(rigs.BOB_SECRET),
    shipbob_hooks.key_of(rigs.OTHER_BOB_SECRET),
)

BUGS: dict[str, Callable[[], Any]] = {
    "every account's key is in force everywhere": lambda: _more_keys(*_ALL_KEYS),
    "no secret is an empty secret": lambda: _more_keys(b""),
    "one secret for two accounts is let pass": lambda: mock.patch.object(
        settings_loader, "_check_hook_secrets"
    ),
    "an address is found by any spelling": _found_by_any_spelling,
}
