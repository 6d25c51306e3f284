"""Master keys: kept outside of the store, the last one in use, earlier ones until nothing needs
them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from state.errors import VaultProblem
from state.vault import cipher

LINE = "NAME:KEY, as `crossdock keys new` writes it"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """``name`` is made of the key, so that no two keys have one and a typing error is noticed."""

    name: str
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes) -> MasterKey:
        return cls(hashlib.sha256(b"crossdock master key" + secret).hexdigest()[:12], secret)

    @classmethod
    def new(cls) -> MasterKey:
        return cls.of(cipher.new_key())

    def line(self) -> str:
        return f"{self.name}:{base64.b64encode(self.secret).decode()}"


def parse(text: str) -> list[MasterKey]:
    """The keys of a file or a variable: one a line (or divided by spaces), ``#`` begins a remark.

    Raises ``VaultProblem``, which never repeats what may be a key.
    """
    words = re.sub(r"#.*", "", text).split()
    if not words:
        raise VaultProblem("there is no key in it: `crossdock keys new` makes one")
    keys = [_key_of(word, number) for number, word in enumerate(words, 1)]
    if len({key.name for key in keys}) < len(keys):
        raise VaultProblem("it names a key twice: leave one of them out")
    return keys


def _key_of(word: str, number: int) -> MasterKey:
    name, _, encoded = word.partition(":")
    try:
        key = MasterKey.of(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        key = None
    if key is None or len(key.secret) != cipher.KEY_BYTES or key.name != name:
        raise VaultProblem(f"key {number} of it is not whole: a key is {LINE}")
    return key


_Version = tuple[int, int, int]


class Keyring:
    """The keys by name. One that is kept in a file is read again when the file has changed, so
    that a daemon takes a new key up without being started again."""

    def __init__(
        self, keys: Sequence[MasterKey], file: Path | None = None, seen: _Version | None = None
    ) -> None:
        self._keys = list(keys)
        self._file = file
        self._seen = seen

    @classmethod
    def of_file(cls, path: Path) -> Keyring:
        """Raises ``VaultProblem`` when it cannot be read, or others can."""
        # Asked before it is read: one that is exchanged meanwhile shall look changed, not seen.
        seen = _version_of(path)
        return cls(_read(path), path, seen)

    @property
    def current(self) -> MasterKey:
        """What new data keys are encrypted by."""
        self._look()
        return self._keys[-1]

    def get(self, name: str) -> MasterKey | None:
        found = self._known(name)
        if found is None:
            self._look()
            found = self._known(name)
        return found

    def names(self) -> list[str]:
        """Oldest first."""
        self._look()
        return [key.name for key in self._keys]

    def _known(self, name: str) -> MasterKey | None:
        return next((key for key in self._keys if key.name == name), None)

    def _look(self) -> None:
        version = _version_of(self._file)
        if self._file is None or version is None or version == self._seen:
            return
        # Of a file that is being changed, or was damaged, the keys that are known hold on.
        try:
            self._keys = _read(self._file)
        except VaultProblem:
            return
        self._seen = version


def _version_of(file: Path | None) -> _Version | None:
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size) if found else None


def _read(path: Path) -> list[MasterKey]:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise VaultProblem(
            f"the keys in {path} cannot be read: {why}. `crossdock keys new` makes a first key"
        ) from None
    if os.name == "posix" and mode & 0o077:
        raise VaultProblem(f"others can read the keys in {path}: chmod 600 {path}")
    try:
        return parse(text)
    except VaultProblem as problem:
        raise VaultProblem(f"{path}: {problem}") from None
