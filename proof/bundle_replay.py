"""A support bundle played again: a fresh store, the same payloads at the same moments, work at the
locations that got it, and others that answer as they did; the same problem comes of it, or the
bundle does not hold what it hangs on.

Between what came in, what was planned and what was sent nothing else happens. So an answer meets
the order in the state in which it met it then: a location refuses to stop before it ships.

    python -m proof.bundle_replay 1001.bundle.json.zst
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import zstandard
from sqlalchemy import delete, insert

from connectors.base import Config, Cursor, Finding, Info, Outcome, Page, Push, RawRecord
from connectors.errors import Rejected
from jobs.clock import ManualClock
from jobs.heartbeat import Heartbeat
from jobs.runner import Runner
from jobs.running import Order
from mappings import Definitions
from mappings import canonical as c
from state import catalogue, fulfilment, migrate, stock, streams
from state import tables as t
from state.store import Store
from sync import allocation, drain, handover, intake, shipping
from sync.context import Hub, Link, Policy
from sync.support.problems import problems_of

ROUNDS = 3
"""Every job once in each, after all that is known to have happened: enough to be refused by one
location and planned at another."""

_BETWEEN = timedelta(hours=4)
"""So that in two rounds a look-up that is refused again and again is given up."""

_MOMENT_S = 0.001
"""Between two moments. Work is handed over a moment after it was planned at the earliest, so that
planning alone releases nothing."""

MAX_BYTES = 64 * 1024 * 1024

_JOBS = {
    "pull-orders": intake.pull_orders,
    "allocate": allocation.allocate,
    "release": handover.release_due,
    "push": drain.push,
    "pull-shipments": shipping.pull_shipments,
}
_LEASE_S = 60.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """``told``: the problems that the bundle says the order had; ``seen``: those it has here;
    ``written_by``: the version that wrote it, empty in old ones."""

    told: Sequence[str]
    seen: Sequence[str]
    written_by: str = ""

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
    hub = Hub(store, clock, definitions, links, Policy(release_after_s=_MOMENT_S))
    beat = Heartbeat(store, clock, _LEASE_S)
    runner = Runner(hub, _JOBS, clock, beat, "once/here/1/replay", _LEASE_S)
    channel = document["connection"]
    stage = _Stage(document, store, links, clock, runner)
    with store.write() as conn:
        for job, name in stage.everything():
            number = links[name].id if name else None
            streams.ensure(conn, streams.key_of(job, name), job, number, 60, clock.now())
    for moment in _moments(document):
        stage.play(moment)
    stage.play_on()
    with store.read() as conn:
        seen = problems_of(conn, links[channel].id, document["order"])
    return Replayed(document["problems"], seen, document.get("written_by", ""))


_What = Literal["came", "planned", "sent", "told"]
_JOBS_OF: Mapping[_What, Sequence[str]] = {
    "came": ("pull-orders",),
    "planned": ("allocate",),
    "sent": ("release", "push"),
    "told": ("pull-shipments",),
}


@dataclass(frozen=True, slots=True, order=True)
class _Moment:
    """``what``: a report of the channel ``came``, work was ``planned``, an intent was ``sent``, or
    a location ``told`` of parcels."""

    at: datetime
    what: _What


def _moments(document: Mapping[str, Any]) -> list[_Moment]:
    """All that is known to have happened, each once, in its order. Bundles of older versions do
    not say when work was planned: they are to be written again."""
    rows: list[tuple[_What, Any]] = [
        *(("came", one["received_at"]) for one in document["payloads"]),
        *(("planned", one.get("at")) for one in document.get("work", ())),
        *(("sent", one["sent_at"]) for one in document.get("intents", ())),
        *(("told", one["received_at"]) for one in document.get("shipments", ())),
    ]
    return sorted({_Moment(datetime.fromisoformat(at), what) for what, at in rows if at})


@dataclass(frozen=True, slots=True)
class _Stage:
    """The hub of a replay and everybody around it."""

    document: Mapping[str, Any]
    store: Store
    links: Mapping[str, Link]
    clock: ManualClock
    runner: Runner

    def everything(self) -> list[tuple[str, str | None]]:
        takers = [one["name"] for one in self.document["connections"] if one["takes"]]
        reporting = {one["connection"] for one in self.document.get("shipments", ())}
        return [
            ("pull-orders", self.document["connection"]),
            ("allocate", None),
            ("release", None),
            *(("push", name) for name in takers),
            *(("pull-shipments", name) for name in takers if name in reporting),
        ]

    def play(self, moment: _Moment) -> None:
        """Let happen what happened then, and nothing else."""
        self.clock.advance(max(0.0, (moment.at - self.clock.now()).total_seconds()))
        for link in self.links.values():
            if isinstance(link.connector, Recorded):
                link.connector.now = moment.at
        if moment.what == "planned":
            self._serve(_planned_at(self.document, moment.at))
        self._run(_JOBS_OF[moment.what])
        self._serve(self.document["serving"])
        self.clock.advance(_MOMENT_S)

    def play_on(self) -> None:
        """After all that is known: what the hub makes of it when it is left alone."""
        for _ in range(ROUNDS):
            self._run(("pull-orders", "allocate", "push", "pull-shipments"))
            self.clock.advance(_BETWEEN.total_seconds())

    def _run(self, wanted: Sequence[str]) -> None:
        for job, name in self.everything():
            if job not in wanted:
                continue
            ended = self.runner.run_once(streams.key_of(job, name), Order("replay", name))
            if ended is not None and ended.verdict is not None and ended.verdict.kind == "bug":
                raise RuntimeError(f"{job}: {ended.verdict.message}")

    def _serve(self, codes: Collection[str]) -> None:
        """Only these locations serve the channel: routing may choose another today, as stock and
        rates are not what they were."""
        channel = self.links[self.document["connection"]].id
        with self.store.write() as conn:
            conn.execute(delete(t.channel_location))
            for rank, code in enumerate(self.document["serving"]):
                place = fulfilment.location_by_code(conn, code) if code in codes else None
                if place is not None:
                    served = {"connection_id": channel, "location_id": place.id, "rank": rank}
                    conn.execute(insert(t.channel_location).values(served))


def _planned_at(document: Mapping[str, Any], moment: datetime) -> set[str]:
    """The locations that got work at that moment."""
    work = [one for one in document["work"] if one.get("at")]
    return {one["location"] for one in work if datetime.fromisoformat(one["at"]) == moment}


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
    # What asks a location to stop names its work by the location's own number: it goes by its key.
    answers = {
        row["reference"] or row["idempotency_key"]: row for row in document.get("intents", ())
    }
    if one["takes"] == "fulfilment_order":
        told = [row for row in document.get("shipments", ()) if row["connection"] == one["name"]]
        work = document.get("work", ())
        agreed = [row for row in work if row.get("request") == "cancellation_accepted"]
        return Warehouse(info, answers, told, {f"cancel:{row['reference']}" for row in agreed})
    if one["takes"] == "label":
        return Carrier(info, answers)
    mine = one["name"] == document["connection"]
    return Channel(info, document["payloads"] if mine else ())


class Recorded:
    """A connection that knows nobody outside, and nothing of what comes after ``now``."""

    config_model = Config

    def __init__(self, info: Info) -> None:
        self.info = info
        self.now = datetime.min.replace(tzinfo=UTC)

    def check(self) -> Sequence[Finding]:
        return []


class Channel(Recorded):
    """Tells of the order as it did."""

    def __init__(self, info: Info, payloads: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(info)
        self._payloads = payloads

    def pull_orders(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        told = _until(self._payloads, self.now)
        yield Page([RawRecord.of(row["external_id"], row["body"]) for row in told], {"n": 0})


def _until(rows: Sequence[Mapping[str, Any]], now: datetime) -> list[Mapping[str, Any]]:
    return [row for row in rows if datetime.fromisoformat(row["received_at"]) <= now]


class Taker(Recorded):
    """Answers what is handed over as it was answered; of what it never saw it knows nothing."""

    def __init__(self, info: Info, answers: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(info)
        self._answers = answers

    def _answer(self, key: str, reference: str) -> Outcome:
        known = self._answers.get(reference)
        if known is None or not _was_sent(known, self.now):
            return Outcome(key, "retry", message="the bundle ends here")
        if known["state"] == "rejected":
            return Outcome(key, "rejected", code=known["code"], message=known["message"])
        if known["state"] in ("done", "accepted"):
            return Outcome(key, "applied", remote_id=known["remote_id"] or f"R-{reference}")
        return Outcome(key, "unknown", message=known["message"])

    def _look_up(self, reference: str) -> None:
        """Nothing is ever found; what a person had to settle could not be looked up."""
        known = self._answers.get(reference)
        if known is not None and known["state"] == "review":
            raise Rejected(known["message"])


def _was_sent(intent: Mapping[str, Any], now: datetime) -> bool:
    """Was it sent by then, and is it known what came of it, or that nobody knows?"""
    sent = intent["sent_at"] and datetime.fromisoformat(intent["sent_at"]) <= now
    return bool(sent) and intent["state"] not in ("planned", "superseded")


class Warehouse(Taker):
    """Reports what it reported. ``stops``: keys of the requests to stop that it has
    agreed to at once."""

    def __init__(
        self,
        info: Info,
        answers: Mapping[str, Mapping[str, Any]],
        told: Sequence[Mapping[str, Any]],
        stops: Set[str],
    ) -> None:
        super().__init__(info, answers)
        self._told = told
        self._stops = stops

    def pull_shipments(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        told = _until(self._told, self.now)
        yield Page([RawRecord.of(row["external_id"], row["body"]) for row in told], {"n": 0})

    def push_fulfilment_orders(
        self, requests: Mapping[str, c.FulfilmentRequest]
    ) -> Sequence[Outcome]:
        return [self._answer(key, one.reference) for key, one in requests.items()]

    def find_fulfilment_order(self, reference: str) -> str | None:
        self._look_up(reference)
        return None

    def cancel_fulfilment_orders(self, remote_ids: Mapping[str, str]) -> Sequence[Outcome]:
        return [self._stopped(key) for key in remote_ids]

    def _stopped(self, key: str) -> Outcome:
        """As it was answered: taken for later is no answer yet, what it reports later tells."""
        answer = self._answer(key, key)
        later = answer.status == "applied" and key not in self._stops
        return Outcome(key, "accepted") if later else answer


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
