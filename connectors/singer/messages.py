"""What a tap says, line by line, and what of it may be stored together.

https://github.com/singer-io/getting-started/blob/master/docs/SPEC.md. A STATE speaks of all records
before it, so it becomes the cursor with the page that holds the last of them, and never earlier.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from connectors.base import Cursor, Page, RawRecord
from connectors.errors import ConfigProblem, Retryable
from connectors.payload_paths import id_text, reader
from connectors.replies import UNREADABLE
from connectors.singer.settings import TapStream

_PASSED_OVER = frozenset({"ACTIVATE_VERSION"})
"""A whole table was read anew. Nothing of ours is deleted because a source no longer has it."""


class _Message(msgspec.Struct):
    """``record`` and ``value`` stay text: a tap's decimals pass through no float of ours."""

    type: str
    stream: str = ""
    record: msgspec.Raw = msgspec.Raw()
    value: msgspec.Raw = msgspec.Raw()
    key_properties: list[str] | None = None


_decoder = msgspec.json.Decoder(_Message)


class Collected:
    """What came since the last page, and the last state.

    ``names``: what the wanted stream is called in messages; others are passed over. ``cursor``:
    what was stored, or null; ``since``: the first reading's start where that has none.
    ``shown``: makes what a tap wrote fit to be told.
    """

    def __init__(
        self,
        wanted: TapStream,
        names: set[str],
        cursor: Cursor | None,
        since: str,
        shown: Callable[[bytes], str],
    ) -> None:
        self.records = 0
        """Of the whole run."""
        self.size = 0
        """Bytes of the whole run's records."""
        self.others: set[str] = set()
        """Streams that were spoken of although nobody asked for them."""
        self.heard = False
        """Whether the wanted stream was spoken of."""
        # The first time stays: a tap may skip what lies before it, state or not.
        self.since = cursor["since"] if cursor else since
        self.state: str | None = cursor.get("state") if cursor else None
        """The last state, as the tap wrote it."""
        self._stored_state = self.state
        self._names = names
        self._shown = shown
        self._page: list[RawRecord] = []
        self._page_size = 0
        self._wanted = wanted
        self._id: Callable[[Any], Any] | None = reader(wanted.id) if wanted.id else None

    def fills(self, records: int, size: int) -> bool:
        """Whether so many records, or bytes of them, wait for their page."""
        return len(self._page) >= records or self._page_size >= size

    @property
    def news(self) -> bool:
        """Whether there is anything to store."""
        return bool(self._page) or self.state != self._stored_state

    def take(self, line: bytes) -> None:
        """Read one line. Raises ``ConfigProblem`` for what is no Singer message."""
        try:
            message = _decoder.decode(line)
        except UNREADABLE:
            raise ConfigProblem(
                f"the tap wrote a line that is no Singer message: {self._shown(line)}. "
                "Its stdout must carry nothing else; is `command` a tap?"
            ) from None
        match message.type:
            case "RECORD":
                self._add(message)
            case "STATE":
                self._remember(message)
            case "SCHEMA":
                self._learn(message)
            case known if known in _PASSED_OVER:
                pass
            case unknown:
                raise ConfigProblem(
                    f"the tap sends {unknown[:40]!r} messages, which may hold records: switch them "
                    "off in its settings (`batch_config`)"
                )

    def page(self) -> Page:
        """All that waits, with the state that is safe once it is stored."""
        page = Page(self._page, self._cursor())
        self._page, self._page_size, self._stored_state = [], 0, self.state
        return page

    def _cursor(self) -> Cursor:
        cursor: Cursor = {"v": 1, "since": self.since}
        return cursor | ({"state": self.state} if self.state is not None else {})

    def _mine(self, stream: str) -> bool:
        if stream in self._names:
            self.heard = True
            return True
        self.others.add(stream)
        return False

    def _remember(self, message: _Message) -> None:
        text = bytes(message.value)
        try:
            self.state = text.decode()
        except UnicodeDecodeError:
            raise Retryable(f"the tap wrote a STATE that is no text: {self._shown(text)}") from None

    def _learn(self, message: _Message) -> None:
        if self._mine(message.stream) and self._id is None and message.key_properties:
            keys = message.key_properties
            self._id = lambda record: _joined([record.get(key) for key in keys])

    def _add(self, message: _Message) -> None:
        if not self._mine(message.stream):
            return
        if self._id is None:
            raise ConfigProblem(
                f"stream {message.stream!r} names no key: say with `id` where a record's id stands"
            )
        text = bytes(message.record)
        try:
            record = msgspec.json.decode(text or b"null")
        except UNREADABLE:
            record = None
        if not isinstance(record, dict):
            raise Retryable(f"the tap wrote a RECORD that is no object: {self._shown(text)}")
        key = id_text(self._id(record))
        if not key:
            place = f"at `{self._wanted.id}`" if self._wanted.id else "in its key"
            raise ConfigProblem(f"a record of {message.stream!r} has no id {place}: correct `id`")
        self._page.append(RawRecord(key, text))
        self.records += 1
        self.size += len(text)
        self._page_size += len(text)


def _joined(parts: list[Any]) -> str:
    texts = [id_text(part) for part in parts]
    return "/".join(texts) if all(texts) else ""
