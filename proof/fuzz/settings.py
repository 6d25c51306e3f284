"""Settings and rule files: TOML that a person got wrong, or that somebody means ill with."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from connectors.registry import CONNECTORS
from jobs import settings_loader
from jobs.problems import UsageProblem
from proof.fuzz.judge import Case
from sandbox import installation
from sandbox.clock import ManualClock
from sandbox.world import World
from sync.routing import rulefile

_VALUES = (
    *('""', '"x"', "0", "-1", "1", "true", "[]", "{}", "1.5", "nan", "inf", "-inf", "1e400"),
    *(
        "1979-05-27",
        "07:32:00",
        "1979-05-27T07:32:00Z",
        "9999-12-31T23:59:59Z",
        '"5m"',
        '"999999d"',
    ),
    *('"\\u0000"', '"\\u202e"', '"env:HOME"', '"file:/etc/passwd"', '"file:/dev/zero"', '"env:"'),
    *('"../../etc"', '"http://169.254.169.254"', '"https://user:pw@x/"', "[[]]", "{a = {b = 1}}"),
    *('"' + "x" * 3_000 + '"', "9" * 400, "0x" + "f" * 300, '["a", 1]', "[{a = 1}]", "'''\n'''"),
    *(
        "12345678901234567890",
        '"sqlite:///../x"',
        '"postgresql://"',
        '"mysql://x"',
        '"Europe/Berlin"',
    ),
    *('"../../../etc/passwd"', '"*"', '"DE-*"', '"[a-"', '"(((((("', '"\\ud7ff"'),
)
_LINES = (
    *(
        "[",
        "]",
        "[[x]]",
        "[a]\n[a]",
        "a = ",
        "= 1",
        "a.b.c.d = 1",
        "\x00",
        "\ufeff",
        "[jobs]\nx = 1",
    ),
    *(
        "x = " + "[" * 60 + "]" * 60,
        "x = " + "{a = " * 60 + "1" + "}" * 60,
        "a" + ".a" * 300 + " = 1",
    ),
    *('[connections.""]', "[connections.x]", '[connections.x]\nconnector = "rest"', "[locations]"),
    *("[connections]\nx = 1", "locations = 1", "connections = []", "[[connections.x]]"),
)


def evil_tomls() -> Sequence[tuple[str, bytes]]:
    """What broke readers of TOML before."""
    return (
        ("a key of 100,000 parts", b"a" + b".a" * 100_000 + b" = 1\n"),
        ("100,000 levels of lists", b"x = " + b"[" * 100_000),
        ("10,000 levels of tables", b"x = " + b"{a = " * 10_000),
        ("a number of 100,000 digits", b"x = " + b"9" * 100_000),
        ("50 MB", b"# " + b"x" * 50_000_000),
        ("100,000 tables", b"".join(b"[a%d]\n" % n for n in range(60_000))),
        ("UTF-16", "x = 1".encode("utf-16")),
        ("bytes", bytes(range(256))),
        ("empty", b""),
        ("a byte order mark", b"\xef\xbb\xbfx = 1\n"),
    )


def spoiled_toml(rng: Random, text: str) -> bytes:
    """Settings of which values, keys, lines or bytes are others."""
    lines = text.splitlines()
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        place = rng.randrange(len(lines))
        key, equals, _ = lines[place].partition(" = ")
        match rng.randrange(6):
            case 0:
                lines.insert(place, rng.choice(_LINES))
            case 1:
                del lines[place]
                lines = lines or [""]
            case 2:
                lines[place] = lines[place].replace("# ", "")
            case 3 if equals:
                lines[place] = f"{key}x = {rng.choice(_VALUES)}"
            case _ if equals:
                lines[place] = f"{key.removeprefix('# ')} = {rng.choice(_VALUES)}"
    content = "\n".join(lines).encode("utf-8", "replace")
    if rng.random() < 0.1:
        place = rng.randrange(len(content) + 1)
        content = content[:place] + rng.randbytes(rng.choice((1, 4))) + content[place:]
    return content


class SettingsFiles:
    """``settings.toml`` and the files beside it, as a command reads them."""

    name = "settings"
    refusals = (UsageProblem,)

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "settings"
        world = World(7, ManualClock(datetime(2026, 11, 2, tzinfo=UTC)), orders_per_channel=0)
        installation.write(self._folder, "http://127.0.0.1:1", world)
        self._texts = {
            path: path.read_text(encoding="utf-8")
            for path in [self._folder / "settings.toml", *self._folder.glob("connections.d/*.toml")]
        }

    def evil(self) -> Sequence[tuple[str, Case]]:
        first = self._folder / "settings.toml"
        return [(what, self._of(first, content)) for what, content in evil_tomls()]

    def random(self, rng: Random) -> Case:
        path = rng.choice(list(self._texts))
        return self._of(path, spoiled_toml(rng, self._texts[path]))

    def _of(self, path: Path, content: bytes) -> Case:
        def case() -> str:
            for one, text in self._texts.items():
                one.write_bytes(content if one == path else text.encode())
            settings_loader.load(self._folder / "settings.toml", CONNECTORS)
            return "taken"

        return case


class RuleFiles:
    """A file of routing rules."""

    name = "routing rules"
    refusals = (rulefile.RulesInvalid,)

    def __init__(self, folder: Path) -> None:
        self._file = folder / "rules.toml"
        self._text = rulefile.SHIPPED.read_text(encoding="utf-8")

    def evil(self) -> Sequence[tuple[str, Case]]:
        found = [(what, self._of(_written(content))) for what, content in evil_tomls()]
        return [*found, ("a pipe", self._of(_piped))]

    def random(self, rng: Random) -> Case:
        return self._of(_written(spoiled_toml(rng, self._text)))

    def _of(self, place: Callable[[Path], object]) -> Case:
        def case() -> str:
            with suppress(FileNotFoundError):
                self._file.unlink()
            place(self._file)
            rulefile.load(self._file)
            return "taken"

        return case


def _written(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _piped(path: Path) -> None:
    os.mkfifo(path)
