"""The connector contract: capabilities as small protocols, and what passes through them.

A connector is one class that holds a client (``ApiClient``) and implements the capabilities its
vendor has. It yields raw payloads and takes canonical records; it never retries, sleeps, logs,
stores or catches: the door (``connectors.http``) and the engine (``sync``) do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, Self, runtime_checkable

import msgspec
from pydantic import BaseModel, ConfigDict

from mappings import canonical as c

_encoder = msgspec.json.Encoder(order="deterministic")

Cursor = dict[str, Any]
"""A connector's own, JSON-able note of how far it has read. Opaque to everyone else."""

Status = Literal["applied", "accepted", "rejected", "retry", "unknown"]
"""What became of one item of a call.

``applied``: done, and the vendor said so. ``accepted``: queued there, ``handle`` finds the result.
``rejected``: refused for good. ``retry``: certainly not done, may be tried again.
``unknown``: may or may not have happened.
"""

Idempotency = Literal["absolute", "reference", "natural", "key", "lookup", "none"]
"""Why a push may be repeated after ``unknown``.

``absolute``: sets a value, repeating is harmless. ``natural``: the vendor treats a repeat as done.
``reference``: the vendor refuses a second object with our reference. ``key``: the vendor answers a
repeat under the same key with what it did the first time, for as long as it remembers the key.
``lookup``: only after looking for our reference and finding nothing. ``none``: never; a person
decides.
"""

TAKEN = "duplicate_reference"
"""Code of a refusal: under our reference there is something else than what we sent. Nobody may
overwrite it, and sending ours elsewhere could ship twice: a person has to look."""


class Clock(Protocol):
    """The one clock. ``sleep`` may return early only when the process is told to stop."""

    def now(self) -> datetime: ...

    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record as it came: ``text`` is a JSON object with every field kept.

    A vendor's own bytes where it sends JSON, so that nobody decodes what has not changed.
    """

    external_id: str
    text: bytes

    @classmethod
    def of(cls, external_id: str, body: Mapping[str, Any]) -> Self:
        """A record that we put together; the same content always gives the same text."""
        return cls(external_id, _encoder.encode(body))

    @property
    def body(self) -> dict[str, Any]:
        return dict(msgspec.json.decode(self.text))


@dataclass(frozen=True, slots=True)
class Page:
    """Records, and the cursor that may be stored once they are committed.

    ``findings`` tell people of input that could not become records at all (an unreadable file).
    """

    records: Sequence[RawRecord]
    cursor: Cursor
    total: int | None = None
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the item with ``key``, the key the caller gave it."""

    key: str
    status: Status
    remote_id: str = ""
    handle: str = ""
    code: str = ""
    message: str = ""
    retry_after: float | None = None
    result: c.Record | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``crossdock check``: what was looked at, whether it is well, what to mend."""

    subject: str
    ok: bool
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """How a push capability behaves, declared once and relied on by the engine.

    ``batch_max``: items per call. ``at_once``: items handed over together where the connector
    sorts them into calls itself; null means ``batch_max``. ``lookup_lag_s``: how long after the
    last possible call the vendor's own index may need, and a call that is still on its way, before
    an absent reference proves that nothing happened. ``key_window_s``: how long a vendor of the
    class ``key`` remembers one.
    """

    batch_max: int
    idempotency: Idempotency
    lookup_lag_s: float = 0.0
    at_once: int | None = None
    key_window_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: ``per_second`` refill, ``burst`` capacity."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is known of a vendor's webhooks.

    ``topics``: a glob on the vendor's topic -> the streams that it may have changed, by their names
    in ``every``. A topic that none fits is kept and nudges nothing. ``headers``: those worth
    keeping, in lower case. ``enter``: where ops say at the vendor what to send where.
    ``shows_after_s``: how long after a webhook a read may not show yet what it was about.
    """

    topics: Mapping[str, Sequence[str]]
    headers: Sequence[str]
    enter: str
    shows_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Shelves:
    """Goods that somebody else counts. ``owner``: the account, equal for two connections of one;
    ``part``: of its buildings, null being all of them together."""

    owner: tuple[object, ...]
    part: object = None

    def overlap(self, other: Shelves) -> bool:
        """Whether one and the same piece may be in the counts of both."""
        parts = {self.part, other.part}
        return self.owner == other.owner and (len(parts) == 1 or None in parts)


class Config(BaseModel):
    """Base of a connector's settings: unknown keys are refused, secrets are ``SecretStr``."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def shelves(self) -> Shelves | None:
        """Whose goods it counts; null: nobody can tell from the settings."""
        return None


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days the vendor lets us keep its buyers' personal data: after the delivery, and,
    where none is known, after the last thing that happened to an order."""

    after_delivery_days: int
    after_change_days: int
    encrypted: bool = False
    """The vendor demands that it is encrypted where it is kept."""


@dataclass(frozen=True, slots=True)
class Info:
    """What a connector is. ``pushes`` is keyed by capability name (``push_stock`` ...).

    ``restores_stock``: a channel that raises its own quantity again when an order is cancelled.
    Where that is not certain it is false: the promise is then written once more, which does no
    harm. ``personal_data``: how long the vendor lets us keep it, where it says so.
    harm. ``looks_back``: a read without a cursor gives everything changed since once more, and
    uses nothing up.
    """

    name: str
    title: str
    kind: Literal["channel", "fulfilment", "carrier", "files"]
    limits: Mapping[str, Rate] = field(default_factory=dict)
    pushes: Mapping[str, Push] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    """Stream or push name -> mapping definition, e.g. ``orders`` -> ``woocommerce.orders``."""
    restores_stock: bool = False
    personal_data: Retention | None = None
    hooks: Hooks | None = None
    looks_back: bool = False


@runtime_checkable
class Connector(Protocol):
    """Every connector: a description, its settings' model, and a self-test."""

    info: Info
    config_model: type[Config]

    def check(self) -> Sequence[Finding]:
        """Prove that address and credentials work. Raises ``ConfigProblem`` with the remedy."""
        ...


@runtime_checkable
class PullsOrders(Protocol):
    def pull_orders(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """Yield pages, oldest change first where the vendor can sort.

        ``since`` counts only while there is no cursor. The cursor never passes the vendor's
        horizon, and a re-read overlaps.
        """
        ...


@runtime_checkable
class PullsListings(Protocol):
    def pull_listings(self) -> Iterator[Page]:
        """Yield every listing of the account."""
        ...


@runtime_checkable
class ReadsListings(Protocol):
    def read_listings(self, wanted: Sequence[c.Listing]) -> Sequence[RawRecord]:
        """A few listings, named by their external ids, as ``pull_listings`` yields them.

        Those that are not there any more are left out.
        """
        ...


@runtime_checkable
class PullsStock(Protocol):
    def pull_stock(self, cursor: Cursor | None = None) -> Iterator[Page]:
        """Yield stock counts; a last page with a ``total`` proves that the snapshot is complete.

        Without it only the SKUs named were counted, and nothing is said of the others.
        ``cursor`` is the one of the last committed page, for sources that report a count once.
        """
        ...


@runtime_checkable
class PullsShipments(Protocol):
    def pull_shipments(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """Yield fulfilment orders that changed, each with its shipments."""
        ...


@runtime_checkable
class SetsAside(Protocol):
    def set_aside(self) -> Sequence[Finding]:
        """Input that could not become records at all and waits for a person, with the reason.

        Asks nobody outside. Raises ``Unreachable`` when the folder it is kept in is away.
        """
        ...


@runtime_checkable
class KeepsFiles(Protocol):
    def rewrite_kept(self, change: Callable[[str], str]) -> int:
        """Put ``change`` of its text in the place of every file that is kept to look back at, where
        it differs; returns how many did.

        Files that wait to be read or collected belong to the partner and are left alone. Raises
        ``Unreachable`` when the folder is away.
        """
        ...


@runtime_checkable
class PushesStock(Protocol):
    def push_stock(self, updates: Mapping[str, c.StockUpdate]) -> Sequence[Outcome]:
        """Set the quantity of each listing. Keys are the caller's."""
        ...


@runtime_checkable
class PollsSubmissions(Protocol):
    def poll_submission(self, handle: str, keys: Sequence[str]) -> Sequence[Outcome] | None:
        """Read the result of an accepted batch; null while the vendor still works on it.

        ``keys``: the items that were accepted with ``handle``, as the push knew them; each of them
        has an outcome. Raises ``Rejected`` when there is no such batch, or no result of it.
        """
        ...


@runtime_checkable
class PushesTracking(Protocol):
    def push_tracking(self, notices: Mapping[str, c.TrackingNotice]) -> Sequence[Outcome]:
        """Tell the channel about shipped packages.

        One may be told again, under its ``package_reference`` and with all that it holds, when
        more of it turns out to be the order's than was told before.
        """
        ...


@runtime_checkable
class PushesFulfilmentOrders(Protocol):
    def push_fulfilment_orders(
        self, requests: Mapping[str, c.FulfilmentRequest]
    ) -> Sequence[Outcome]:
        """Hand work to a location. ``remote_id`` is the vendor's id of the new order."""
        ...

    def find_fulfilment_order(self, reference: str) -> str | None:
        """The vendor's id of the order that carries our reference, if there is one."""
        ...


@runtime_checkable
class CancelsFulfilmentOrders(Protocol):
    def cancel_fulfilment_orders(self, remote_ids: Mapping[str, str]) -> Sequence[Outcome]:
        """Ask to stop. ``applied``: stopped; ``rejected``: too late, the goods ship."""
        ...


@runtime_checkable
class BuysLabels(Protocol):
    def quote_rates(self, request: c.LabelRequest) -> Sequence[c.RateQuote]:
        """Offers for the parcel, cheapest first. May raise ``Rejected`` where there are none."""
        ...

    def buy_labels(self, requests: Mapping[str, c.LabelRequest]) -> Sequence[Outcome]:
        """Buy the cheapest eligible label for each parcel; ``result`` is a ``Label``."""
        ...

    def find_label(self, reference: str) -> c.Label | None:
        """The label already bought under our reference, if any."""
        ...

    def void_label(self, external_id: str) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Effect:
    """One object at the vendor, whoever placed it.

    ``live``: neither cancelled nor voided. ``cost`` in minor units of ``currency``, where it costs
    something by itself. ``remedy``: how it is undone when it should not be there.
    """

    kind: Literal["fulfilment_order", "label"]
    reference: str
    external_id: str
    live: bool
    placed_at: datetime
    cost: int | None = None
    currency: str = ""
    remedy: str = ""


@runtime_checkable
class ListsEffects(Protocol):
    def list_effects(self, since: datetime, until: datetime) -> Iterator[Sequence[Effect]]:
        """Pages of everything that was placed in the time, one call each, oldest first."""
        ...


@runtime_checkable
class EstimatesRates(Protocol):
    def estimate_rates(self, request: c.RateRequest) -> Sequence[c.RateQuote]:
        """What each service would charge, without making a shipment; none: nobody goes there.

        Asking twice does no harm. Raises ``Rejected`` when the parcel makes no sense to the vendor.
        """
        ...


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a carrier tells of one parcel: its events, oldest first.

    ``findings`` tell people of events that cannot be read; the others are good.
    """

    events: Sequence[c.TrackingEvent] = ()
    findings: Sequence[Finding] = ()


@runtime_checkable
class Tracks(Protocol):
    def track(self, external_id: str) -> Tracked:
        """What happened to one label's parcel. Raises ``Rejected`` where just this parcel cannot
        be followed."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook as it came: header names in lower case, the body's raw bytes."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Hook:
    """What a proven webhook is about.

    ``event_id`` is made of nothing but what the vendor signed: whatever else is changed on the
    way, the event comes again under the same one. ``external_id`` and ``version`` are the vendor's
    words for the record and its state, for people to look at.
    """

    event_id: str
    topic: str
    external_id: str = ""
    version: str = ""


@runtime_checkable
class ReceivesHooks(Protocol):
    """A connector whose ``info.hooks`` says what the vendor sends by itself."""

    info: Info

    def takes_hooks(self) -> bool:
        """Whether a secret is configured; without one nothing can be proven."""
        ...

    def read_hook(self, delivery: Delivery, now: datetime) -> Hook | None:
        """What the webhook is about; null: the vendor only tries the address.

        Raises ``HookRefused`` when it is not proven to come from this account's vendor.
        """
        ...


@runtime_checkable
class ListsSubscriptions(Protocol):
    def subscriptions(self, url: str) -> Sequence[Finding]:
        """What the vendor says of its webhooks to ``url``: they vanish without a word."""
        ...
