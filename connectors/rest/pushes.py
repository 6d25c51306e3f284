"""What ops may write about a push of a ``rest`` connection: where it goes, and how it is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import msgspec
from pydantic import Field, model_validator

from connectors.base import Config, Idempotency
from connectors.payload_paths import JmesPath
from connectors.rest.streams import Query
from connectors.rest.words import unknown_names
from mappings import canonical as c

RECORDS: Mapping[str, type[c.Record]] = {
    "stock": c.StockUpdate,
    "tracking": c.TrackingNotice,
    "fulfilment_orders": c.FulfilmentRequest,
}
"""What each push takes."""


class Route(Config):
    """Another path for some items."""

    when: JmesPath
    """Looks at our record; the first route that finds something is taken."""
    path: str = Field(pattern=r"^/[^?#\s]*$")
    """Path below `url`; our record's fields stand in braces."""


class Find(Config):
    """How an order with our reference is looked up."""

    path: str = Field(pattern=r"^/[^?#\s]*$")
    """Path below `url`; {reference} is ours."""
    query: Query = Field(default={})
    """Parameters; {reference} is ours."""
    records: JmesPath = "@"
    """Where in the reply the orders stand."""
    reference: JmesPath
    """Where in an order our reference stands: a filter that is ignored answers other orders."""
    id: JmesPath = "id"
    """Where in an order its id stands."""
    same: JmesPath = ""
    """What must be equal in the order found and the one sent, before it is taken for ours."""


class Judged(Config):
    """How a result is understood."""

    error: JmesPath = ""
    """Where in a result an error stands; found means refused."""
    error_code: JmesPath = ""
    """Where in a result the error's code stands."""
    error_message: JmesPath = ""
    """Where in a result the error's text stands."""
    applied_when: JmesPath = ""
    """Must find something in a result, or it counts as refused: some take and ignore."""


class Listed(Judged):
    """Where a list of results stands, and whose each one is."""

    results: JmesPath = ""
    """Where in the reply the list of results stands; without it a success counts for all."""
    result_key: JmesPath = ""
    """Where in a result stands what tells whose it is."""


class Queued(Listed):
    """A write that the vendor takes for later, and where it then tells the end."""

    handle: JmesPath
    """Where in the reply to the push the submission's id stands."""
    path: str = Field(pattern=r"^/[^?#\s]*$")
    """Path below `url` that tells of a submission; {handle} is its id."""
    done: JmesPath
    """Finds something in that reply once the submission is worked off."""
    failed: JmesPath = ""
    """Finds something in that reply when the submission was given up as a whole."""
    only_refused: bool = False
    """The results name refused items only: who is not named, was done."""

    @model_validator(mode="after")
    def _tells_whose(self) -> Self:
        told = unknown_names(self.path, {"handle"})
        if not (self.results and self.result_key):
            told.append("`queued` needs `results` and `result_key`: taken is not yet done")
        if told:
            raise ValueError("; ".join(told))
        return self


class Confirm(Config):
    """How an order is looked at whose cancellation was refused."""

    path: str = Field(pattern=r"^/[^?#\s]*$")
    """Path below `url`; {remote_id} is the vendor's id of the order."""
    cancelled: JmesPath
    """Finds something in an order that is cancelled already."""


class Cancellation(Judged):
    """How handed-over work is stopped."""

    path: str = Field(pattern=r"^/[^?#\s]*$")
    """Path below `url`; {remote_id} is the vendor's id of the order."""
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    """POST, PUT, PATCH or DELETE."""
    body: Mapping[str, str | int | float | bool] = {}
    """Constants to send."""
    idempotency: Literal["natural", "none"] = "natural"
    """natural: a repeat does no harm; none: a person decides when a reply is lost."""
    confirm: Confirm | None = None
    """A refused one is done when the order says that it is cancelled."""

    @model_validator(mode="after")
    def _only_known_names(self) -> Self:
        paths = [self.path, *([self.confirm.path] if self.confirm else [])]
        told = [line for path in paths for line in unknown_names(path, {"remote_id"})]
        if told:
            raise ValueError("; ".join(told))
        return self


class Push(Listed):
    """One kind of write."""

    definition: str
    """The mapping definition that turns our record into theirs."""
    path: str = Field(pattern=r"^/[^?#\s]*$")
    """Path below `url`; our record's fields stand in braces. Items go together by path."""
    routes: Sequence[Route] = ()
    """Other paths for some items, tried in order before `path`."""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    """POST, PUT or PATCH."""
    batch_max: int = Field(default=1, ge=1, le=10_000)
    """Items in one call. With 1 the body is the item itself, with more a list."""
    wrap: str = Field(default="", pattern=r"^(\w+(\.\w+)*)?$")
    """The key, or keys with dots, that the item or the list stands under."""
    context: Mapping[str, str | int | float | bool] = {}
    """Constants for the definition, where they are `$.context`."""
    idempotency: Idempotency
    """Why a repeat does no harm: absolute, natural, reference, key or lookup; none: it does."""
    lookup_lag_s: float = Field(default=0.0, ge=0)
    """Seconds until an order that is not found certainly does not exist."""
    key_header: str = Field(default="", pattern=r"^[A-Za-z0-9-]{0,64}$")
    """With idempotency key: the header that carries it, often Idempotency-Key."""
    key_window_s: float = Field(default=0.0, ge=0)
    """With idempotency key: seconds for which they remember one, by their documentation."""
    item_key: JmesPath = ""
    """Where the same stands in what was sent; without it as `result_key`."""
    remote_id: JmesPath = ""
    """Where in a result, or the reply, the vendor's id stands."""
    find: Find | None = None
    """How an order with our reference is looked up; fulfilment orders need it."""
    queued: Queued | None = None
    """Where a vendor that takes it for later tells the end."""

    @model_validator(mode="after")
    def _judges_every_item(self) -> Self:
        told = []
        if self.results and not self.result_key:
            told.append("`results` needs `result_key`: whose result is it?")
        if self.queued:
            told += self._queue_problems()
        elif self.batch_max > 1 and not self.results:
            told.append("a batch needs `results`: one refused item must not pass for done")
        if self.result_key and not self.results:
            told.append("`result_key` without `results` is never looked at")
        if self.idempotency in ("reference", "lookup") and not self.find:
            told.append(f"idempotency {self.idempotency} needs `find`")
        told += self._key_problems()
        if told:
            raise ValueError("; ".join(told))
        return self

    def _key_problems(self) -> list[str]:
        given = bool(self.key_header), bool(self.key_window_s)
        if self.idempotency != "key":
            return ["`key_header` and `key_window_s` are for idempotency key"] if any(given) else []
        told = [] if all(given) else ["idempotency key needs `key_header` and `key_window_s`"]
        if self.batch_max > 1:
            told.append("idempotency key needs `batch_max` 1: a key names one item")
        return told

    def _queue_problems(self) -> list[str]:
        own = ("results", "result_key", "error", "error_code", "error_message", "applied_when")
        told = [
            f"a push with `queued` has no use for `{key}`: write it there"
            for key in own
            if key in self.model_fields_set
        ]
        if not self.item_key:
            told.append("`queued` needs `item_key`: what will the results call an item?")
        if self.find or self.remote_id:
            told.append("`queued` gives no id of a new order: `find` and `remote_id` need one")
        return told

    @property
    def repeatable(self) -> bool:
        """A call that may be repeated like a read."""
        return self.idempotency in ("absolute", "natural")


class Pushes(Config):
    """What is sent to the vendor."""

    stock: Push | None = None
    tracking: Push | None = None
    fulfilment_orders: Push | None = None
    cancellations: Cancellation | None = None

    def described(self) -> dict[str, Push]:
        """The pushes that are there, by name, but for cancellations: they send no record."""
        given = {name: getattr(self, name) for name in RECORDS}
        return {name: push for name, push in given.items() if push}

    @model_validator(mode="after")
    def _fit_their_records(self) -> Self:
        told = []
        for name, push in self.described().items():
            fields = path_fields(RECORDS[name])
            for path in (push.path, *(route.path for route in push.routes)):
                told += [f"{name}: {line}" for line in unknown_names(path, fields)]
            if push.find:
                texts = [push.find.path, *map(str, push.find.query.values())]
                lines = [line for text in texts for line in unknown_names(text, {"reference"})]
                told += [f"{name}.find: {line}" for line in lines]
            if name == "fulfilment_orders" and not push.find:
                told.append(f"{name}: needs `find`: an order must not be placed twice")
            if push.find and push.batch_max > 1:
                told.append(f"{name}: what is looked up by reference is sent one by one")
            if name != "fulfilment_orders" and push.find:
                told.append(f"{name}: only fulfilment orders are looked up by reference")
        if told:
            raise ValueError("; ".join(dict.fromkeys(told)))
        return self


def path_fields(record: type[c.Record]) -> set[str]:
    """The fields of our record that may stand in a path: its texts and numbers."""
    fields: tuple[Any, ...] = msgspec.structs.fields(record)
    return {field.name for field in fields if field.type in (str, int)}
