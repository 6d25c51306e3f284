"""What ops may write for a ``singer`` connection: which tap, its own settings, what to read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from connectors.base import Config
from connectors.payload_paths import JmesPath

Argument = Annotated[str, StringConstraints(min_length=1)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$")]


class TapStream(Config):
    """One kind of record, and the tap's stream that has it."""

    stream: Argument
    """The stream's name, as the tap lists it."""
    definition: str
    """The mapping definition that turns a record into ours."""
    id: JmesPath = ""
    """Where in a record its id stands; without it the stream's own key."""
    replication_key: str = ""
    """The column to read on from, for taps that leave the choice to the catalog (databases)."""


class TapStreams(Config):
    """What is read from the tap."""

    orders: TapStream | None = None
    listings: TapStream | None = None

    def described(self) -> dict[str, TapStream]:
        """The streams that are there, by name."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: stream for name, stream in given.items() if stream}


class SingerConfig(Config):
    """``command`` runs the tap; ``config``, ``config_file`` and ``secrets`` are the tap's own."""

    command: tuple[Argument, ...] = Field(min_length=1)
    """The tap and its fixed arguments, as a list. No shell: nothing in it is expanded."""
    config: Mapping[str, Any] = {}
    """The tap's settings, as its own page names them."""
    config_file: Path | None = None
    """A JSON file with the tap's settings; `config` is laid over it."""
    secrets: Mapping[str, SecretStr] = {}
    """Secret settings of the tap: env:NAME or file:PATH. A dot in a key leads into a table."""
    since_key: str = ""
    """The tap's setting that says how far back its first reading goes; often start_date."""
    folder: Path | None = None
    """Where the tap runs, and what relative paths in its settings start from."""
    environment: tuple[Variable, ...] = ()
    """Names of environment variables that the tap may see, such as HTTPS_PROXY."""
    discover: bool = True
    """Whether the tap knows --discover. Without it and `catalog` the tap reads what it likes."""
    catalog: Path | None = None
    """A catalog file instead of the tap's own discovery; which fields are read stays as in it."""
    streams: TapStreams | None = None
    """What is read: orders, listings."""
    page_size: int = Field(default=500, ge=1, le=10_000)
    """Records that are stored together."""
    deadline_s: float = Field(default=900, gt=0, le=86_400)
    """Seconds one run of the tap may take; then it is ended, and the next run goes on."""
    grace_s: float = Field(default=5, ge=0, le=60)
    """Seconds between asking the tap to end and forcing it."""
    max_record_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024)
    """The longest line the tap may write: a record, its schema or its state."""
    max_records: int = Field(default=200_000, ge=1)
    """Records one run takes; the rest comes with the next one."""
    max_bytes: int = Field(default=1024 * 1024 * 1024, ge=1024)
    """Bytes of records one run takes; the rest comes with the next one."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        problems = []
        if not self.described():
            problems.append("describe at least one of `streams.orders` or `streams.listings`")
        problems += [
            f"secrets.{key}: {key.partition('.')[0]!r} is set in `config` already: keep one"
            for key in self.secrets
            if "." not in key and key in self.config
        ]
        if self.since_key in self.secrets:
            problems.append("since_key: a time is no secret")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def described(self) -> dict[str, TapStream]:
        """The streams that are read, by name."""
        return self.streams.described() if self.streams else {}

    def secret_values(self) -> list[str]:
        """What must never show."""
        return [value.get_secret_value() for value in self.secrets.values()]
