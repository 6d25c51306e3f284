"""Any JSON API, described in the settings: a source, a sink or both, without code.

``RestConfig`` is the description. This class can do all that a description may ask for; what a
connection's own does not ask for is withdrawn from that connection's class (docs/adr/0010).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from connectors.base import Config, Cursor, Finding, Info, Outcome, Page, Push, Rate
from connectors.described import Wanted, lacking, require_definitions
from connectors.errors import Rejected
from connectors.http import Door
from connectors.rest.auth import auth_of
from connectors.rest.cancel import Canceller
from connectors.rest.pushes import RECORDS
from connectors.rest.queue import Handle
from connectors.rest.settings import RestConfig
from connectors.rest.sink import Sink
from connectors.rest.source import Source
from connectors.skew import skew_finding
from mappings import Definition
from mappings import canonical as c

_TARGETS = {"orders": "Order", "listings": "Listing", "stock": "StockCount"}
_TARGETS["shipments"] = "Shipment"
_PULLS = {name: f"pull_{name}" for name in _TARGETS}
_PUSHES: Mapping[str, Sequence[str]] = {
    "stock": ("push_stock",),
    "tracking": ("push_tracking",),
    "fulfilment_orders": ("push_fulfilment_orders", "find_fulfilment_order"),
}
_COURTESY = {"*": Rate(per_second=2, burst=4)}
"""For a vendor whose limits nobody wrote down."""


class Rest:
    """One account at a vendor that its settings describe."""

    config_model: type[Config] = RestConfig
    info = Info(name="rest", title="any JSON API, described in the settings", kind="channel")

    def __new__(cls, config: RestConfig, *_: object) -> Self:
        """An instance of a class that has only the capabilities ``config`` describes."""
        made: Self = super().__new__(_described(cls, config))
        return made

    def __init__(
        self, config: RestConfig, door: Door, definitions: Mapping[str, Definition]
    ) -> None:
        """Raises ``ConfigProblem`` with every definition that is missing or maps something else."""
        require_definitions(_wanted(config), definitions)
        self._config = config
        self._auth = auth_of(config, door)
        self._api = door.client(
            config.url,
            auth=self._auth,
            limits=_limits(config),
            headers=config.headers,
            secrets=tuple(config.secrets().values()),
        )
        streams = config.streams.described() if config.streams else {}
        pushes = config.pushes.described() if config.pushes else {}
        self._sources = {
            name: Source(name, stream, self._api, door.clock, config.url)
            for name, stream in streams.items()
        }
        self._sinks = {
            name: Sink(name, push, self._api, door.clock, definitions[push.definition])
            for name, push in pushes.items()
        }
        cancellations = config.pushes.cancellations if config.pushes else None
        self._canceller = Canceller(cancellations, self._api) if cancellations else None

    def close(self) -> None:
        self._api.close()
        close = getattr(self._auth, "close", None)
        if close is not None:
            close()

    def check(self) -> Sequence[Finding]:
        """Make the call named in ``check_call``, or read the first page of every stream."""
        findings = []
        if self._config.check_call:
            self._api.get(self._config.check_call.path, op="check")
            findings.append(Finding("credentials", True, "the call of `check_call` is answered"))
        else:
            for name, source in self._sources.items():
                detail = f"{source.sample()} records on the first page"
                findings.append(Finding(name, True, detail))
        if not findings:
            remedy = "Name a harmless read in `check_call`."
            return [Finding("credentials", True, "nothing can be asked without writing", remedy)]
        return [*findings, skew_finding(self._api.last_skew_s)]

    def pull_orders(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """Orders as ``streams.orders`` describes them."""
        return self._sources["orders"].pages(cursor, since)

    def pull_listings(self) -> Iterator[Page]:
        """Every listing, as ``streams.listings`` describes them."""
        return self._sources["listings"].all()

    def pull_stock(self, cursor: Cursor | None = None) -> Iterator[Page]:
        """Counts, as ``streams.stock`` describes them; complete where that says ``snapshot``."""
        return self._sources["stock"].all()

    def pull_shipments(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """Shipments as ``streams.shipments`` describes them."""
        return self._sources["shipments"].pages(cursor, since)

    def push_stock(self, updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
        """Quantities, as ``pushes.stock`` describes them."""
        return self._sinks["stock"].send(updates)

    def push_tracking(self, notices: Mapping[str, c.TrackingNotice]) -> Sequence[Outcome]:
        """Shipped packages, as ``pushes.tracking`` describes them."""
        return self._sinks["tracking"].send(notices)

    def push_fulfilment_orders(
        self, requests: Mapping[str, c.FulfilmentRequest]
    ) -> Sequence[Outcome]:
        """Work, as ``pushes.fulfilment_orders`` describes it."""
        return self._sinks["fulfilment_orders"].send(requests)

    def cancel_fulfilment_orders(self, remote_ids: Mapping[str, str]) -> Sequence[Outcome]:
        """Requests to stop, as ``pushes.cancellations`` describes them."""
        return self._canceller.send(remote_ids) if self._canceller else []

    def poll_submission(self, handle: str, keys: Sequence[str]) -> Sequence[Outcome] | None:
        """What became of what was taken for later, as the push's ``queued`` describes it."""
        known = Handle.read(handle)
        if known.push not in self._sinks:
            raise Rejected(f"pushes.{known.push} is not described any more: {handle} is lost")
        return self._sinks[known.push].result(known, keys)

    def find_fulfilment_order(self, reference: str) -> str | None:
        """The vendor's id of the order with our reference, by ``pushes.fulfilment_orders.find``."""
        return self._sinks["fulfilment_orders"].find(reference)


def _described(rest: type[Any], config: RestConfig) -> type[Any]:
    """``rest`` without what ``config`` does not describe."""
    streams = config.streams.described() if config.streams else {}
    pushes = config.pushes.described() if config.pushes else {}
    withdrawn = [method for name, method in _PULLS.items() if name not in streams]
    withdrawn += [m for name, methods in _PUSHES.items() if name not in pushes for m in methods]
    cancellations = config.pushes.cancellations if config.pushes else None
    if cancellations is None:
        withdrawn.append("cancel_fulfilment_orders")
    if not any(push.queued for push in pushes.values()):
        withdrawn.append("poll_submission")
    behaviour = {
        f"push_{name}": Push(
            push.batch_max, push.idempotency, push.lookup_lag_s, key_window_s=push.key_window_s
        )
        for name, push in pushes.items()
    }
    if cancellations:
        behaviour["cancel_fulfilment_orders"] = Push(1, cancellations.idempotency)
    definitions = {name: stream.definition for name, stream in streams.items()}
    info = Info(
        name=rest.info.name,
        title=rest.info.title,
        kind=config.kind,
        limits=_limits(config),
        pushes=behaviour,
        definitions=definitions | {f"push_{name}": p.definition for name, p in pushes.items()},
    )
    return lacking(rest, info, withdrawn)


def _limits(config: RestConfig) -> dict[str, Rate]:
    given = {name: Rate(one.per_second, one.burst) for name, one in config.limits.items()}
    return _COURTESY | given


def _wanted(config: RestConfig) -> Iterator[Wanted]:
    for name, stream in (config.streams.described() if config.streams else {}).items():
        yield Wanted(f"streams.{name}", stream.definition, _TARGETS[name])
    for name, push in (config.pushes.described() if config.pushes else {}).items():
        yield Wanted(f"pushes.{name}", push.definition, "request", RECORDS[name].__name__)
