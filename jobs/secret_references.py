"""Secrets stay out of the settings: a file holds only where each one is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

SECRET_MAX_BYTES = 64 * 1024

REMEDY = "write env:NAME (an environment variable) or file:PATH (a file that holds only it)"


def secret_fields(model: type[BaseModel]) -> set[str]:
    """The names of the fields of ``model`` that hold a secret, or a table of secrets."""
    return {name for name, field in model.model_fields.items() if _is_secret(field.annotation)}


def resolve(reference: Any, folder: Path) -> str:
    """The secret that ``env:NAME`` or ``file:PATH`` (relative to ``folder``) points to.

    Raises ``ValueError`` with a sentence that never repeats the value: it may be the secret.
    """
    kind, _, where = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if kind == "env" and where:
        return _from_environment(where)
    if kind == "file" and where:
        return _from_file(folder / Path(where).expanduser())
    raise ValueError(f"a secret does not belong in the settings: {REMEDY}")


def _from_environment(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise ValueError(f"the environment variable {name} is not set (or empty): set it")
    return value


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"the file {path} cannot be read: {error.strerror}") from None
    if len(content) > SECRET_MAX_BYTES:
        raise ValueError(f"the file {path} is too large to be a secret")
    try:
        value = content.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"the file {path} is not text") from None
    if not value:
        raise ValueError(f"the file {path} is empty")
    return value


def _is_secret(annotation: Any) -> bool:
    if annotation is SecretStr:
        return True
    holds_others = get_origin(annotation) in (Union, UnionType, Mapping)
    return holds_others and any(_is_secret(part) for part in get_args(annotation))
