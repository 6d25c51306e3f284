"""Paths of definitions that their sources do not send, by contracts, schemas and examples."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from jobs.problems import UsageProblem
from jobs.settings_problems import did_you_mean
from mappings import Definition
from mappings.contracts import contract_of, shape_of
from mappings.file_bounds import Refused, content_of
from mappings.source_check import doubts
from mappings.source_shapes import Shape, of_examples, of_schema, resolved

DOCUMENT_BYTES = 32 * 1024 * 1024
"""A vendor's whole schema; a body of ours has no more either."""

_NAMED = ("#/components/schemas", "#/definitions", "#/$defs")
"""Where documents keep the schemas that have a name."""


def contracts_folder() -> Path | None:
    """Where the vendors' contracts are: ``CROSSDOCK_SPECS``, or beside a checkout; or nowhere."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared" / "specs"
    folder = Path(os.environ.get("CROSSDOCK_SPECS") or beside)
    return folder if folder.is_dir() else None


def by_contract(folder: Path) -> Callable[[Definition], list[str]]:
    """Checks definitions against the contracts in a folder, reading each document once.

    Of a definition that no contract in there describes, nothing is said.
    """
    document = cache(lambda file: opened(folder / file))

    def warnings(definition: Definition) -> list[str]:
        contract = contract_of(definition.spec.role, definition.spec.chain)
        if contract is None or definition.source is not None:
            return []
        try:
            source = shape_of(contract.described, document)
        except FileNotFoundError:
            return []
        except (LookupError, UsageProblem) as error:
            return [f"{definition.file}: cannot be checked against its contract: {error}"]
        return [str(doubt) for doubt in doubts(definition.plan, source, contract.known)]

    return warnings


def by_source(source: Shape, called: str) -> Callable[[Definition], list[str]]:
    """Checks definitions against one source; ``called``: what tells of it."""
    return lambda one: [str(doubt) for doubt in doubts(one.plan, source, called=called)]


def schema(word: str) -> Shape:
    """What ``FILE``, ``FILE#NAME`` or ``FILE#/pointer`` describes. Raises ``UsageProblem``."""
    name, _, pointer = word.partition("#")
    document = _present(Path(name))
    if not pointer:
        if isinstance(document, dict) and {"openapi", "swagger"} & set(document):
            raise UsageProblem(f"{name} describes a whole API.", f"Name a schema: {name}#Order.")
        return of_schema(document, document)
    places = [f"#{pointer}"] if pointer.startswith("/") else [f"{p}/{pointer}" for p in _NAMED]
    for place in places:
        found = resolved(document, place)
        if found is not None:
            return of_schema(found, document)
    tables = [resolved(document, place) for place in _NAMED]
    known = [key for table in tables if isinstance(table, dict) for key in table]
    raise UsageProblem(f"{name} has no schema {pointer!r}{did_you_mean(pointer, known)}")


def example(path: Path) -> Shape:
    """What an example payload holds; of a list, what its elements hold."""
    document = _present(path)
    return of_examples(document if isinstance(document, list) else [document])


def _present(path: Path) -> Any:
    try:
        return opened(path)
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from None


def bytes_of(path: Path) -> bytes:
    """The content of a document. Raises ``UsageProblem`` and ``OSError``."""
    try:
        return content_of(path, DOCUMENT_BYTES)
    except Refused as refused:
        raise UsageProblem(f"{path}: {refused}") from None


def opened(path: Path) -> Any:
    """A JSON or YAML document. Raises ``UsageProblem`` and ``OSError``."""
    content = bytes_of(path)
    if path.suffix not in (".yaml", ".yml"):
        try:
            return msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UsageProblem(f"{path} is not JSON: {error}") from None
    try:
        return msgspec.yaml.decode(content)
    except ImportError:
        raise UsageProblem(f"{path} is YAML.", "Install PyYAML, or give it as JSON.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageProblem(f"{path} is not YAML: {error}") from None
