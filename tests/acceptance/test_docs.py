"""What can be typed or set is in the documentation, and its links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest
from pydantic import BaseModel

from connectors.registry import CONNECTORS
from jobs.cli import cli
from jobs.settings import ConnectionSettings, LocationSettings, Settings
from tests.conftest import REPOSITORY

_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_FENCED = re.compile(r"```.*?```", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def pages() -> list[Path]:
    """What a user reads: the README, and every page of the documentation."""
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def code() -> str:
    """Everything the pages show as something to type."""
    texts = [page.read_text(encoding="utf-8") for page in pages()]
    return "\n".join(found for text in texts for found in _CODE.findall(text))


def commands() -> Iterator[str]:
    """``run``, ``sku import`` ...: every command of the command line."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {sub}" for sub in command.commands)
        else:
            yield name


def settings(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, str]]:
    """(section, key) of every setting; what stands in a table of its own has that as its section.

    ``every`` and ``personal_data`` are written on one line: their keys belong to the section that
    they stand in.
    """
    for key, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        if inner in (ConnectionSettings, LocationSettings):
            yield from settings(inner, f"{key}.NAME")
        elif inner is None:
            yield section, key
        elif key in ("every", "personal_data"):
            yield section, key
            yield from settings(inner, section)
        else:
            yield from settings(inner, key)


def _model_of(annotation: object) -> type[BaseModel] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z0-9_-]+", text))


def test_there_are_commands_and_settings_to_look_for() -> None:
    assert {"run", "sku import", "export reconciliation"} <= set(commands())
    found = set(settings(Settings))
    assert {("store", "url"), ("jobs", "allocate"), ("connections.NAME", "shipments")} <= found
    assert ("locations.NAME", "authority") in found


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_is_documented(command: str) -> None:
    documented = re.search(rf"crossdock (--config \S+ )?{command}\b", code()) is not None
    assert documented


@pytest.mark.parametrize(("section", "key"), list(settings(Settings)))
def test_every_setting_is_documented(section: str, key: str) -> None:
    has_section = f"[{section.removesuffix('NAME')}" in code()
    has_key = key in words(code())
    assert (has_section, has_key) == (True, True)


@pytest.mark.parametrize("name", sorted(CONNECTORS))
def test_every_connector_is_documented_with_its_settings(name: str) -> None:
    shown = words(code())
    wanted = [name, *CONNECTORS[name].config_model.model_fields]
    assert [word for word in wanted if word not in shown] == []


def anchors(page: Path) -> set[str]:
    """The names a page's headings can be linked by, as code hosts make them."""
    headings = _HEADING.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in headings}


def test_every_link_between_the_pages_leads_somewhere() -> None:
    others = [REPOSITORY / name for name in ("CONTRIBUTING.md", "CHANGELOG.md")]
    broken, followed = [], 0
    for page in [*pages(), *others, *(REPOSITORY / "mappings").glob("*.md")]:
        text = _FENCED.sub("", page.read_text(encoding="utf-8"))
        for target in _LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            followed += 1
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (anchor and anchor not in anchors(file)):
                broken.append(f"{page.relative_to(REPOSITORY)}: {target}")
    assert broken == []
    assert followed > 10
