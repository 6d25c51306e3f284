"""What ops may write about a stream of a ``rest`` connection: where it is, and how it pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from connectors.base import Config
from connectors.payload_paths import JmesPath
from connectors.rest.words import PAGING_NAMES, TimeFormat, placeholders, unknown_names

PagingStyle = Literal["none", "page", "offset", "cursor", "link", "since_id", "time_window"]
Query = Mapping[str, StrictBool | StrictInt | StrictStr]

_OWN: Mapping[PagingStyle, set[str]] = {
    "page": {"page"},
    "offset": {"offset"},
    "cursor": {"cursor"},
    "since_id": {"last_id"},
    "time_window": {"since", "until"},
}
"""The placeholders a style cannot do without."""

_KEYS: Mapping[PagingStyle, set[str]] = {
    "none": set(),
    "page": {"size", "first", "total", "total_header"},
    "offset": {"size", "first", "total", "total_header"},
    "cursor": {"size", "next", "total", "total_header"},
    "link": {"size", "next", "total", "total_header"},
    "since_id": {"size"},
    "time_window": {"size", "window_s"},
}


class Paging(Config):
    """How one page leads to the next."""

    style: PagingStyle = "none"
    """none, page, offset, cursor, link, since_id or time_window."""
    size: int = Field(default=0, ge=0, le=10_000)
    """Records a full page holds; what {size} stands for."""
    first: int = Field(default=1, ge=0, le=1)
    """The number of the first page."""
    next: JmesPath = ""
    """Where in the body the next cursor or link stands; for link, without it the Link header."""
    total: JmesPath = ""
    """Where in the body the number of all records stands."""
    total_header: str = ""
    """The header that says the number of all records."""
    window_s: int = Field(default=86_400, ge=1)
    """Seconds a time window begins with; it is halved where a window is full."""

    @model_validator(mode="after")
    def _fits_its_style(self) -> Self:
        told = [
            f"style {self.style} has no use for `{key}`"
            for key in sorted(self.model_fields_set - {"style"} - _KEYS[self.style])
        ]
        if self.style not in ("none", "cursor", "link") and not self.size:
            told.append(f"style {self.style} needs `size`: a page with fewer is the last one")
        if self.style == "cursor" and not self.next:
            told.append("style cursor needs `next`: where in the body the next cursor stands")
        if self.total and self.total_header:
            told.append("`total` and `total_header` are two answers to one question: keep one")
        if told:
            raise ValueError("; ".join(told))
        return self

    @property
    def counts(self) -> bool:
        """Whether every reply says how many records there are."""
        return bool(self.total or self.total_header)


class Attach(Config):
    """A further call for each record, whose rows are laid into the record."""

    path: str = Field(pattern=r"^/[^?#\s]*$")
    """Path below `url`; {id} is the record's id."""
    into: str = Field(pattern=r"^\w+$")
    """The key of the record that takes the rows."""
    query: Query = Field(default={})
    """Parameters; {id} is the record's id."""
    when: JmesPath = "@"
    """Called only for records where this finds something."""
    records: JmesPath = "@"
    """Where in the reply the rows stand."""
    at_least: JmesPath = ""
    """Says of a record how many rows must come; with fewer the page is read again later."""

    @model_validator(mode="after")
    def _only_known_names(self) -> Self:
        texts = [self.path, *map(str, self.query.values())]
        told = [line for text in texts for line in unknown_names(text, {"id"})]
        if told:
            raise ValueError("; ".join(told))
        return self


class Split(Config):
    """Makes one record of each row inside a record: ``{parent: the rest, item: the row}``."""

    rows: str = Field(pattern=r"^\w+$")
    """The key of the record that holds the rows; without any, one record comes with null."""
    id: JmesPath
    """Where in ``{parent, item}`` the id of the new record stands."""
    parent: str = Field(default="parent", pattern=r"^\w+$")
    """The key for the record without its rows."""
    item: str = Field(default="item", pattern=r"^\w+$")
    """The key for the row."""


class Stream(Config):
    """One kind of record, where it is read and how far it can be trusted."""

    definition: str
    """The mapping definition that turns a record into ours."""
    path: str = Field(pattern=r"^/[^?#\s]*$")
    """Path below `url`."""
    method: Literal["GET", "POST"] = "GET"
    """With POST the query goes as a JSON object in the body."""
    query: Query = Field(default={})
    """Parameters; one whose placeholder has no value yet is left out."""
    records: JmesPath = "@"
    """Where in the reply the list of records stands."""
    id: JmesPath = "id"
    """Where in a record its id stands."""
    paging: Paging = Paging()
    """How one page leads to the next."""
    time_format: TimeFormat = "rfc3339"
    """How {since} and {until} are written: rfc3339, naive_utc, unix, unix_ms or date."""
    changed: JmesPath = ""
    """The cursor field: where in a record its time of change stands. Needless with {until}."""
    overlap_s: int = Field(default=300, ge=0)
    """Seconds read again before the last watermark, for what became visible late."""
    horizon_s: int = Field(default=5, ge=0)
    """The newest seconds, which the vendor's listing cannot be trusted for yet."""
    attach: Sequence[Attach] = ()
    """Further calls for each record."""
    split: Split | None = None
    """Makes one record of each row inside a record."""
    snapshot: bool = False
    """For stock: the walk names every SKU, and one that is missing has none."""

    @property
    def names(self) -> set[str]:
        """The placeholders in path and query."""
        return set().union(*map(placeholders, self._templates()))

    def _templates(self) -> list[str]:
        return [self.path, *(value for value in self.query.values() if isinstance(value, str))]

    @model_validator(mode="after")
    def _pages_with_what_it_asks_for(self) -> Self:
        told = [line for text in self._templates() for line in unknown_names(text, PAGING_NAMES)]
        style, names = self.paging.style, self.names
        told += [
            f"paging style {style} needs {{{name}}} in the query or path"
            for name in sorted(_OWN.get(style, set()) - names)
        ]
        own = _OWN.get(style, set()) | {"since", "until", "size"}
        told += [
            f"paging style {style} gives no {{{name}}}"
            for name in sorted((names & PAGING_NAMES) - own)
        ]
        if style == "link" and self.method != "GET":
            told.append("paging style link reads with GET: a link has no body")
        if "size" in names and not self.paging.size:
            told.append("{size} needs `paging.size`")
        if "until" in names and "since" not in names:
            told.append("{until} needs {since}")
        if "since" in names and "until" not in names and not self.changed:
            told.append("{since} without {until} needs `changed`, the time of change in a record")
        if told:
            raise ValueError("; ".join(told))
        return self


class Streams(Config):
    """What is read from the vendor."""

    orders: Stream | None = None
    listings: Stream | None = None
    stock: Stream | None = None
    shipments: Stream | None = None

    def described(self) -> dict[str, Stream]:
        """The streams that are there, by name."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: stream for name, stream in given.items() if stream}

    @model_validator(mode="after")
    def _remember_where_they_can(self) -> Self:
        told = [
            f"{name}: is always read whole and knows no {{since}}"
            for name in ("listings", "stock")
            for stream in [getattr(self, name)]
            if stream and "since" in stream.names
        ]
        told += [
            f"{name}: only stock can be a `snapshot`"
            for name, stream in self.described().items()
            if stream.snapshot and name != "stock"
        ]
        if told:
            raise ValueError("; ".join(told))
        return self
