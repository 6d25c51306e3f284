"""Any Singer tap, run as a process: orders and listings from whatever it reads.

docs/adr/0011 says how a tap is kept in bounds. Taps differ; this connector lives with those that
write their log to stderr in floods, select streams in any of Singer's three ways, say no STATE at
all, or end in the middle: what came before the end is stored, and the next run reads on from the
last STATE that is stored with its records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from signal import Signals
from typing import Self

import msgspec

from connectors.base import Config, Cursor, Finding, Info, Page
from connectors.described import Wanted, lacking, require_definitions
from connectors.errors import ConfigProblem, CrossdockError, Retryable
from connectors.http import Door
from connectors.redaction import redact
from connectors.singer.catalog import Catalog, message_names, parsed, selecting
from connectors.singer.launch import CANNOT_RUN
from connectors.singer.messages import Collected
from connectors.singer.process import Tap
from connectors.singer.settings import SingerConfig, TapStream
from connectors.singer.start import Starter
from mappings import Definition

PAGE_S = 2.0
"""Real seconds after which what came is handed over, be it nothing: between two pages the engine
may stop, and a slow tap must not keep it from that."""

_PAGE_BYTES = 8 * 1024 * 1024
"""What a page may weigh, whatever its number of records; one record more is never held."""

_CATALOG_BYTES = 64 * 1024 * 1024
_MISUSED = frozenset({2, CANNOT_RUN, CANNOT_RUN + 1})
"""Exit codes that a repeat cannot mend: wrong arguments (argparse, click), nothing to run."""
_TARGETS = {"orders": "Order", "listings": "Listing"}


class Singer:
    """One tap with one configuration."""

    config_model: type[Config] = SingerConfig
    info = Info(name="singer", title="any Singer tap, run as a process", kind="channel")

    def __new__(cls, config: SingerConfig, *_: object) -> Self:
        """An instance of a class that reads only what ``config`` describes."""
        described = config.described()
        info = Info(
            name=cls.info.name,
            title=cls.info.title,
            kind=cls.info.kind,
            definitions={name: stream.definition for name, stream in described.items()},
        )
        withdrawn = [f"pull_{name}" for name in _TARGETS if name not in described]
        made: Self = super().__new__(lacking(cls, info, withdrawn))
        return made

    def __init__(
        self, config: SingerConfig, door: Door, definitions: Mapping[str, Definition]
    ) -> None:
        """Raises ``ConfigProblem`` with every definition that is missing or maps something else."""
        described = config.described()
        require_definitions(
            [Wanted(f"streams.{k}", s.definition, _TARGETS[k]) for k, s in described.items()],
            definitions,
        )
        self._config = config
        self._stopwatch = door.stopwatch
        self._taps = Starter(config, door.stopwatch)
        self._catalog: Catalog | None = None

    def close(self) -> None:
        """End what still runs: nothing waits for a tap when the process stops."""
        self._taps.kill()

    def check(self) -> Sequence[Finding]:
        """Have the tap list its streams, and find those that are to be read."""
        self._catalog = None
        catalog = self._known()
        if catalog is None:
            remedy = "Its settings are tried by the first pull."
            return [Finding("tap", True, "it has no discovery, so nothing was asked", remedy)]
        told = f"lists {len(catalog['streams'])} streams"
        findings = [Finding("tap", True, told)]
        for name, wanted in self._config.described().items():
            message_names(catalog, wanted)
            findings.append(Finding(name, True, f"are the tap's stream {wanted.stream!r}"))
        return findings

    def pull_orders(self, cursor: Cursor | None, since: datetime) -> Iterator[Page]:
        """What ``streams.orders`` names, from the tap's own state on."""
        start = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._pages(self._config.described()["orders"], cursor, start)

    def pull_listings(self) -> Iterator[Page]:
        """Everything that ``streams.listings`` names, whatever was read before."""
        for page in self._pages(self._config.described()["listings"], None, None):
            yield Page(page.records, {})

    def _pages(self, wanted: TapStream, cursor: Cursor | None, since: str | None) -> Iterator[Page]:
        # Remembered only after a run that went well: the tap may have other streams by now.
        catalog, self._catalog = self._known(), None
        known = message_names(catalog, wanted) if catalog else {wanted.stream}
        collected = Collected(wanted, known, cursor, since or "", self._shown)
        files = {
            "catalog": self._selected(catalog, wanted),
            "state": collected.state.encode() if collected.state is not None else None,
        }
        try:
            with self._taps.running(since=collected.since or None, **files) as tap:
                yield from self._read(tap, collected)
                self._require_well(tap)
        except CrossdockError:
            if collected.news:
                yield collected.page()
            raise
        if catalog is None and collected.others and not collected.heard:
            told = ", ".join(sorted(collected.others)[:20])
            raise ConfigProblem(f"the tap never spoke of stream {wanted.stream!r}, but of {told}")
        self._catalog = catalog
        yield collected.page()

    def _read(self, tap: Tap, collected: Collected) -> Iterator[Page]:
        """Full pages, and what waits too long for its page to fill. Leaves the last one waiting."""
        limits, handed_over = self._config, self._stopwatch()
        for line in tap.lines(PAGE_S):
            if line is not None and not line.endswith(b"\n"):
                # Half a line of a tap that died is no fault of what it says.
                self._require_well(tap)
            if line is not None and line.strip():
                collected.take(line)
            if collected.records > limits.max_records or collected.size > limits.max_bytes:
                raise Retryable(
                    f"the tap wrote {collected.records} records of {collected.size} bytes, more "
                    "than one run takes, and was ended; what came is stored and the next run reads "
                    "on. Raise `max_records` or `max_bytes` if it gets no further"
                )
            late = self._stopwatch() - handed_over >= PAGE_S
            if late or collected.fills(limits.page_size, _PAGE_BYTES):
                yield collected.page()
                handed_over = self._stopwatch()

    def _known(self) -> Catalog | None:
        """The tap's streams, asked for once; null for a tap that cannot say."""
        path = self._config.catalog
        if self._catalog is None and path is not None:
            try:
                self._catalog = parsed(path.read_bytes(), f"catalog: {path}")
            except OSError as error:
                raise ConfigProblem(f"catalog: {path} cannot be read: {error.strerror}") from None
        elif self._catalog is None and self._config.discover:
            self._catalog = parsed(self._discovered(), "what the tap discovered")
        return self._catalog

    def _discovered(self) -> bytes:
        output = bytearray()
        with self._taps.running("--discover") as tap:
            for line in tap.lines(PAGE_S):
                output += line or b""
                if len(output) > _CATALOG_BYTES:
                    raise ConfigProblem(f"the tap's catalog has more than {_CATALOG_BYTES} bytes")
            self._require_well(tap)
        return bytes(output)

    def _selected(self, catalog: Catalog | None, wanted: TapStream) -> bytes | None:
        if catalog is None:
            return None
        # In a file of their own ops have chosen the fields, and left some out.
        all_fields = self._config.catalog is None
        return msgspec.json.encode(selecting(catalog, wanted, all_fields=all_fields))

    def _require_well(self, tap: Tap) -> None:
        """Raises with the last words of a tap that did not end with 0."""
        code = tap.exit_code()
        if code == 0:
            return
        how = f"exit code {code}" if code > 0 else Signals(-code).name
        words = " | ".join(redact(line, self._secrets(), limit=200) for line in tap.tail)
        told = f"the tap ended with {how}: {words or 'it said nothing'}"
        raise (ConfigProblem if code in _MISUSED else Retryable)(told)

    def _shown(self, written: bytes) -> str:
        return repr(redact(written[:4000].decode("utf-8", "replace"), self._secrets(), limit=80))

    def _secrets(self) -> list[str]:
        seen = self._taps.environment()
        own = [seen[name] for name in self._config.environment if name in seen]
        return [*self._config.secret_values(), *own]
