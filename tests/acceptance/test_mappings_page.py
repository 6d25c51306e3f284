"""The page for ops about mappings, done as it says: every file written, every command run, and
what it prints compared, on a real store."""

from __future__ import annotations

import json
import logging
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from connectors.base import RawRecord
from jobs.cli import cli
from jobs.commands.options import opened
from sync import intake
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "mappings.md"
BLOCK = re.compile(
    r"(?:`(?P<file>[^`\n]+)`:\n\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
FILES = ("toml", "json", "csv")


@dataclass(frozen=True)
class Block:
    kind: str
    text: str
    file: str


def blocks() -> list[Block]:
    text = PAGE.read_text(encoding="utf-8")
    return [Block(one["kind"], one["text"], one["file"] or "") for one in BLOCK.finditer(text)]


def commands() -> Iterator[tuple[str, str]]:
    """Each command line of the page with what it prints, and the files that stand before it."""
    for block in blocks():
        if block.kind == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
                line, _, output = part.partition("\n")
                yield line, output
        else:
            yield f"write {block.file}", block.text


class Shell:
    """What the page does, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, line: str) -> str:
        """What a command prints, both streams in one."""
        words, _, target = line.partition(" > ")
        name, *arguments = shlex.split(words)
        if name == "cp":
            shutil.copy(*arguments)
            return ""
        if name == "mkdir":
            Path(arguments[0]).mkdir()
            return ""
        assert name == "crossdock", f"the page asks for {name!r}"
        done = CliRunner().invoke(cli, arguments, prog_name="crossdock")
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        if target:
            Path(target).write_text(done.stdout, encoding="utf-8")
            return done.stderr
        return done.output

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def take_in(self) -> None:
        """The two orders the page speaks of, through the intake of `shop-eu`."""
        first = json.loads((self.folder / "order.json").read_text(encoding="utf-8"))
        second = first | {"id": 1002, "number": "1002", "status": "processing"}
        with opened(None) as installation:
            hub, link = installation.hub, installation.hub.links["shop-eu"]
            records = [RawRecord.of(str(order["id"]), order) for order in (first, second)]
            arrivals = intake.read_page(hub, link, records)
            with hub.store.write() as conn:
                intake.take_in(conn, link, arrivals, installation.clock.now())


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_KEY", "ck_1")
    monkeypatch.setenv("SHOP_SECRET", "cs_1")
    # The warnings of contracts are for those who have them; the page is for all.
    monkeypatch.setenv("CROSSDOCK_SPECS", str(tmp_path / "none"))
    monkeypatch.delenv("CROSSDOCK_CONFIG", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Shell(tmp_path)
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def fits(printed: str, shown: str) -> bool:
    """Whether something was printed as shown, where `...` stands for anything."""
    first, *parts = _lines(shown).split("...")
    rest = _lines(printed)
    if not parts:
        return rest == first
    *middle, last = (part.strip("\n") for part in parts)
    if not rest.startswith(first.strip("\n")):
        return False
    rest = rest[len(first.strip("\n")) :]
    for part in middle:
        _, found, rest = rest.partition(part) if part else ("", "x", rest)
        if not found:
            return False
    return rest.endswith(last)


def _lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def test_the_page_has_been_done(shell: Shell) -> None:
    done = 0
    (order,) = [block.text for block in blocks() if block.file == "order.json"]
    for line, shown in commands():
        if line.startswith("write "):
            name = line.removeprefix("write ")
            assert name, f"a block without the name of its file: {shown[:60]}"
            shell.write(name, shown)
            continue
        printed = shell.run(line)
        assert fits(printed, shown), f"$ {line}\n{printed}"
        done += 1
        if line.startswith("crossdock sku import"):
            (shell.folder / "order.json").write_text(order, encoding="utf-8")
            shell.take_in()
    assert done > 15


def test_every_block_of_the_page_is_run_or_written() -> None:
    found = blocks()
    assert {block.kind for block in found} == {"console", *FILES}
    assert [block.text for block in found if block.kind in FILES and not block.file] == []
    fences = PAGE.read_text(encoding="utf-8").count("```")
    assert len(found) * 2 == fences


def test_what_the_runner_takes_for_the_same() -> None:
    assert fits("a\nb  \nc\n", "a\n...\nc\n")
    assert fits("at x.toml:12: y", "at x.toml:...: y")
    assert not fits("a\nb\n", "a\n")
