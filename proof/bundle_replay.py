"""A support bundle played again: a fresh store, the same payloads, and others that answer as they
did; the same problem comes of it, or the bundle does not hold what it hangs on.

    python -m proof.bundle_replay 1001.bundle.json.zst
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import zstandard
from sqlalchemy import insert

from connectors.base import Config, Cursor, Finding, Info, Outcome, Page, Push, RawRecord
from connectors.errors import Ambiguous, Rejected, Retryable
from jobs.clock import ManualClock
from jobs.heartbeat import Heartbeat
from jobs.runner import Runner
from jobs.running import Order
from mappings import Definitions
from mappings import canonical as c
from state import catalogue, fulfilment, migrate, stock, streams
from state import tables as t
from state.store import Store
from sync import allocation, drain, intake, shipping
from sync.context import Hub, Link
from sync.support.problems import problems_of

ROUNDS = 3
"""Every job once in each, after each report of the channel: enough to be refused by one location
and planned at another."""

_BETWEEN = timedelta(hours=4)
"""So that in two rounds a look-up that is refused again and again is given up."""

MAX_BYTES = 64 * 1024 * 1024

_JOBS = {
    "pull-orders": intake.pull_orders,
    "allocate": allocation.allocate,
    "push": drain.push,
    "pull-shipments": shipping.pull_shipments,
}
_LEASE_S = 60.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """``told``: the problems that the bundle says the order had; ``seen``: those it has here."""

    told: Sequence[str]
    seen: Sequence[str]

    @property
    def same(self) -> bool:
        return list(self.told) == list(self.seen)


def load(path: Path) -> dict[str, Any]:
    """The document in a bundle file. Raises ``ValueError`` for anything else."""
    try:
        with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as plain:
            text = plain.read(MAX_BYTES + 1)
        document = msgspec.json.decode(text) if len(text) <= MAX_BYTES else None
    except (zstandard.ZstdError, msgspec.MsgspecError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("crossdock_bundle") != 1:
        raise ValueError(f"{path} is no support bundle of this version")
    return document


def replay(path: Path) -> Replayed:
    """Play a bundle in a folder of its own, and compare what comes of it."""
    document = load(path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(f"sqlite:///{folder / 'replay.db'}")
        try:
            migrate.upgrade(store)
            return _played(document, store, _definitions(document, folder))
        finally:
            store.close()


def _definitions(document: Mapping[str, Any], folder: Path) -> Definitions:
    own = folder / "definitions"
    own.mkdir()
    for name, text in document["definitions"].items():
        (own / Path(name).name).write_text(text, encoding="utf-8")
    return Definitions.load(own, connections=[one["name"] for one in document["connections"]])


def _played(document: Mapping[str, Any], store: Store, definitions: Definitions) -> Replayed:
    clock = ManualClock(datetime.fromisoformat(document["payloads"][0]["received_at"]))
    links = _links(document, store, clock)
    _fill(document, store, links, clock)
    hub = Hub(store, clock, definitions, links)
    beat = Heartbeat(store, clock, _LEASE_S)
    runner = Runner(hub, _JOBS, clock, beat, "once/here/1/replay", _LEASE_S)
    channel = document["connection"]
    takers = [one["name"] for one in document["connections"] if one["takes"]]
    told = [("pull-orders", channel), ("allocate", None)]
    given = [("push", name) for name in takers]
    reporting = {one["connection"] for one in document.get("shipments", ())}
    given += [("pull-shipments", name) for name in takers if name in reporting]
    with store.write() as conn:
        for job, name in (*told, *given):
            number = links[name].id if name else None
            streams.ensure(conn, streams.key_of(job, name), job, number, 60, clock.now())
    for had_left, until in _stages(document):
        for connector in (link.connector for link in links.values()):
            if isinstance(connector, Warehouse):
                connector.until = until
        for _ in range(ROUNDS):
            for job, name in (*told, *(given if had_left else ())):
                ended = runner.run_once(streams.key_of(job, name), Order("replay", name))
                if ended is not None and ended.verdict is not None and ended.verdict.kind == "bug":
                    raise RuntimeError(f"{job}: {ended.verdict.message}")
            clock.advance(_BETWEEN.total_seconds())
    with store.read() as conn:
        seen = problems_of(conn, links[channel].id, document["order"])
    return Replayed(document["problems"], seen)


def _stages(document: Mapping[str, Any]) -> list[tuple[bool, datetime | None]]:
    """Per report of the channel: was anything handed over before the next one came, and when was
    that? Null: no other came."""
    moments = [datetime.fromisoformat(one["received_at"]) for one in document["payloads"]]
    sent = [
        datetime.fromisoformat(at) for one in document.get("intents", ()) if (at := one["sent_at"])
    ]
    return [
        *((any(at < following for at in sent), following) for following in moments[1:]),
        (True, None),
    ]


def _links(document: Mapping[str, Any], store: Store, clock: ManualClock) -> dict[str, Link]:
    found = {}
    for one in document["connections"]:
        values = {"name": one["name"], "connector": one["connector"], "kind": one["kind"]}
        with store.write() as conn:
            made = insert(t.connection).values(values).returning(t.connection.c.id)
            number = conn.execute(made).scalar_one()
        connector = _connector(one, document)
        zone = ZoneInfo(one["timezone"])
        found[one["name"]] = Link(number, one["name"], connector, zone, clock.now())
    return found


def _fill(
    document: Mapping[str, Any], store: Store, links: Mapping[str, Link], clock: ManualClock
) -> None:
    """Locations, SKUs, the names they go by, and stock."""
    now = clock.now()
    with store.write() as conn:
        places = {}
        for place in document["locations"]:
            values = {k: v for k, v in place.items() if k != "connection"}
            values["connection_id"] = links[place["connection"]].id if place["connection"] else None
            made = insert(t.location).values(values).returning(t.location.c.id)
            places[place["code"]] = conn.execute(made).scalar_one()
        channel = links[document["connection"]].id
        for rank, code in enumerate(document["serving"]):
            served = {"connection_id": channel, "location_id": places[code], "rank": rank}
            conn.execute(insert(t.channel_location).values(served))
        skus = {}
        for one in document["goods"]:
            code = one["code"]
            catalogue.upsert_sku(conn, code=code, title="", gtin="", weight_g=one["weight_g"])
            row = catalogue.by_code(conn, code)
            assert row is not None
            skus[code] = row.id
            if one["channel_sku"] != code:
                alias = {"sku_id": row.id, "scheme": "channel_sku", "value": one["channel_sku"]}
                conn.execute(insert(t.sku_alias).values(**alias, connection_id=channel, qty_per=1))
        for level in document["levels"]:
            stock.set_count(
                conn,
                sku_id=skus[level["sku"]],
                location_id=places[level["location"]],
                authority=fulfilment.location(conn, places[level["location"]]).authority,
                on_hand=Decimal(level["qty"]),
                reason="adjust_count",
                key=f"replay:{level['sku']}:{level['location']}",
                now=now,
            )


def _connector(one: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    info = Info(
        name=one["connector"],
        title=one["connector"],
        kind=one["kind"],
        pushes={name: Push(**push) for name, push in one["pushes"].items()},
        definitions=one["definitions"],
    )
    answers = {row["reference"]: row for row in document.get("intents", ())}
    if one["takes"] == "fulfilment_order":
        told = [row for row in document.get("shipments", ()) if row["connection"] == one["name"]]
        return Warehouse(info, answers, told)
    if one["takes"] == "label":
        return Carrier(info, answers)
    mine = one["name"] == document["connection"]
    return Channel(info, document["payloads"] if mine else ())


class Recorded:
    """A connection that knows nobody outside."""

    config_model = Config

    def __init__(self, info: Info) -> None:
        self.info = info

    def check(self) -> Sequence[Finding]:
        return []


class Channel(Recorded):
    """Tells of the order as it did: every few times it is asked, one report more."""

    def __init__(self, info: Info, payloads: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(info)
        self._payloads = payloads
        self._asked = 0

    def pull_orders(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        now = self._payloads[self._asked // ROUNDS]
        self._asked += 1
        yield Page([RawRecord.of(now["external_id"], now["body"])], {"n": self._asked})


class Taker(Recorded):
    """Answers what is handed over as it was answered; of what it never saw it knows nothing."""

    def __init__(self, info: Info, answers: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(info)
        self._answers = answers

    def _answer(self, key: str, reference: str) -> Outcome:
        known = self._answers.get(reference)
        if known is None:
            raise Retryable("the bundle ends here")
        if known["state"] == "rejected":
            return Outcome(key, "rejected", code=known["code"], message=known["message"])
        if known["state"] in ("done", "accepted"):
            return Outcome(key, "applied", remote_id=known["remote_id"] or f"R-{reference}")
        raise Ambiguous(known["message"])

    def _look_up(self, reference: str) -> None:
        """Nothing is ever found; what a person had to settle could not be looked up."""
        known = self._answers.get(reference)
        if known is not None and known["state"] == "review":
            raise Rejected(known["message"])


class Warehouse(Taker):
    """``until``: it has not reported what it reported from then on; null: it has told all."""

    def __init__(
        self,
        info: Info,
        answers: Mapping[str, Mapping[str, Any]],
        told: Sequence[Mapping[str, Any]],
    ) -> None:
        super().__init__(info, answers)
        self._told = told
        self.until: datetime | None = None

    def pull_shipments(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        told = [
            RawRecord.of(row["external_id"], row["body"])
            for row in self._told
            if self.until is None or datetime.fromisoformat(row["received_at"]) < self.until
        ]
        yield Page(told, {"n": len(told)})

    def push_fulfilment_orders(
        self, requests: Mapping[str, c.FulfilmentRequest]
    ) -> Sequence[Outcome]:
        return [self._answer(key, one.reference) for key, one in requests.items()]

    def find_fulfilment_order(self, reference: str) -> str | None:
        self._look_up(reference)
        return None

    def cancel_fulfilment_orders(self, remote_ids: Mapping[str, str]) -> Sequence[Outcome]:
        return [Outcome(key, "rejected", message="the bundle ends here") for key in remote_ids]


class Carrier(Taker):
    def quote_rates(self, request: c.LabelRequest) -> Sequence[c.RateQuote]:
        return []

    def buy_labels(self, requests: Mapping[str, c.LabelRequest]) -> Sequence[Outcome]:
        return [self._bought(key, one) for key, one in requests.items()]

    def find_label(self, reference: str) -> c.Label | None:
        self._look_up(reference)
        return None

    def void_label(self, external_id: str) -> Outcome:
        return Outcome(external_id, "rejected")

    def _bought(self, key: str, request: c.LabelRequest) -> Outcome:
        answer = self._answer(key, request.reference)
        if answer.status != "applied":
            return answer
        label = c.Label(
            external_id=answer.remote_id,
            tracking_number=f"T-{request.reference}",
            carrier="recorded",
            service_code="recorded",
            cost=0,
            currency=request.currency,
        )
        return Outcome(key, "applied", remote_id=answer.remote_id, result=label)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m proof.bundle_replay FILE", file=sys.stderr)  # noqa: T201
        return 2
    try:
        found = replay(Path(arguments[0]))
    except (ValueError, OSError) as problem:
        print(f"Error: {problem}", file=sys.stderr)  # noqa: T201
        return 2
    print(f"told: {', '.join(found.told) or 'no problem'}")  # noqa: T201
    print(f"seen: {', '.join(found.seen) or 'no problem'}")  # noqa: T201
    return 0 if found.same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
