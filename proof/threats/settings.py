"""T13 and T27: files of settings that hang, swell or say another thing than they show, and names
in them that want to be imported."""

from __future__ import annotations

import ast
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module, invalidate_caches
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from connectors import registry
from jobs import settings_loader
from jobs.problems import UsageProblem
from mappings import Definitions, DefinitionsInvalid, toml_text
from proof.fuzz.clock import Stuck, ended_after, measured
from proof.planting import Planted
from proof.threats.check import Checked, verdict
from proof.threats.texts import sources
from sync.routing import rulefile

LOOK_S = 2.0
"""CPU seconds that one file may take."""
ENDS_S = 10
"""Real seconds until a reader that hangs is ended."""
_NO_TOML = "not TOML"
_BOMB = "a: &a [x, x]\n" + "".join(f"{n}: &{n} [*a, *a, *a, *a]\n" for n in "bcdefghi")
_YAML = (
    *("a: !!python/object/apply:os.system ['id']", "!!python/object/new:os.system [id]"),
    *("a: !!python/name:os.system", "a: !!binary R0lGODlh", "a: !!set {x, y}", _BOMB, "a: &a [*a]"),
    *("base: &b {x: 1}\nmore:\n  <<: *b", "debug: no", "country: NO", "a: 0o14", "a: 2026-11-02"),
    *("a: ~", "- a\n- b", "? a\n: b", "---\na: 1", "%YAML 1.1", "a: >\n  b", "a: |\n  b", "{a: 1}"),
)
_TWICE = (
    *("a = 1\na = 2", "[a]\n[a]", "[a]\nx = 1\nx = 2", "[a]\nb = 1\n[a.b]", "a.b = 1\na = 2"),
    *("a = {b = 1}\n[a.b]", "[[a]]\n[a]", "a = []\n[[a]]", "a = {b = 1, b = 2}", '"a" = 1\na = 2'),
)
_NO_VALUES = ("no", "yes", "NO", "on", "off", "True", "None", "null", "~", "0755", "1_", "0xg")
FILES: Mapping[str, tuple[bytes, str]] = {
    **{text: (text.encode(), _NO_TOML) for text in (*_YAML, *_TWICE)},
    **{f"x = {value}": (f"x = {value}".encode(), _NO_TOML) for value in _NO_VALUES},
    "half a character": (b'x = "\\ud800"', _NO_TOML),
    "a line that ends in a text": (b'x = "a\nb"', _NO_TOML),
    "a number of 100,000 digits": (b"x = " + b"9" * 100_000, _NO_TOML),
    "100,000 levels of lists": (b"x = " + b"[" * 100_000, "nested too deep"),
    "10,000 levels of tables": (b"x = " + b"{a = " * 10_000, "nested too deep"),
    "60 levels of lists": (b"x = " + b"[" * 60 + b"]" * 60, "deeper than 50 levels"),
    "60 levels of tables": (b"x = " + b"{a = " * 60 + b"1" + b"}" * 60, "deeper than 50 levels"),
    "a key of 3,000 parts": (b"a" + b".a" * 3_000 + b" = 1", "more than 200 dots"),
    "a table of 3,000 parts": (b"[a" + b".a" * 3_000 + b"]", "more than 200 dots"),
    "60,000 keys": (b"".join(b"a%d = 1\n" % n for n in range(60_000)), "a file of more than"),
    "60,000 tables": (b"".join(b"[a%d]\n" % n for n in range(60_000)), "a file of more than"),
    "2 MB": (b"# " + b"x" * 2_000_000, "a file of more than"),
}
"""What is written, and the reason for which it is refused."""


# ---- T13 --------------------------------------------------------------------------------------


def t13() -> Checked:
    """Each file as settings, as routing rules and as a mapping definition: refused, soon, and for
    what is wrong with it."""
    violations, tried = _t13()

    def empty(text: str) -> dict[str, Any]:
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            return {}

    bugs = (
        _bug("what is no TOML is an empty file", "tomllib", SimpleNamespace(loads=empty)),
        _bug("dots have no bound", "DOTS", 10**9),
        _bug("levels have no bound", "DEPTH", 10**9),
        _bug("keys have no bound", "_check_extent", lambda *_: None),
        _bug("bytes have no bound", "content_of", lambda path, _most: path.read_bytes()),
    )
    planted = {}
    for bug in bugs:
        with bug.in_place():
            planted[f"T13: {bug.name}"] = verdict(_t13(first=True)[0])
    figure = f"{len(FILES)} files x {tried // len(FILES)} readers, each refused in < {LOOK_S:.0f} s"
    return Checked("T13", tried, figure, violations, planted)


def _bug(name: str, what: str, instead: Any) -> Planted:
    return Planted(name, [(toml_text, what, instead)])


def _t13(*, first: bool = False) -> tuple[list[str], int]:
    """What does not hold, and how often was looked. ``first``: no more than that."""
    violations: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        readers = _readers(Path(name))
        for what, (content, reason) in FILES.items():
            for reader, read in readers.items():
                told = _refusal(partial(read, content))
                if reason not in told:
                    violations.append(f"{reader}: {what[:40]!r}: {told[:80]}")
            if first and violations:
                break
    return violations, len(FILES) * len(readers)


def _readers(folder: Path) -> dict[str, Callable[[bytes], object]]:
    settings, one = folder / "settings.toml", folder / "one.toml"

    def written(content: bytes) -> Path:
        one.write_bytes(content)
        return one

    def settings_of(content: bytes) -> object:
        settings.write_bytes(content)
        return settings_loader.load(settings, registry.CONNECTORS)

    return {
        "settings": settings_of,
        "routing rules": lambda content: rulefile.load(written(content)),
        "mapping definition": lambda content: Definitions.of([written(content)]),
    }


def _refusal(read: Callable[[], object]) -> str:
    """Why it is refused; or what happened instead."""
    told = "it was taken"
    try:
        with measured() as cost, ended_after(ENDS_S):
            read()
    except (UsageProblem, rulefile.RulesInvalid, DefinitionsInvalid) as refused:
        told = str(refused)
    except (Exception, Stuck) as error:  # noqa: BLE001 - whatever it is, nobody catches it
        told = f"it ended with {type(error).__name__}"
    return told if cost.cpu_s < LOOK_S else f"it took {cost.cpu_s:.1f} s"


# ---- T27 --------------------------------------------------------------------------------------

_CANARY = "crossdock_canary"
_GROUP = "crossdock.connectors"
CONNECTORS = (
    *(_CANARY, f"{_CANARY}:Connector", f"{_CANARY}.Connector", f"{_CANARY}.py", "on_the_shelf"),
    *(f"./{_CANARY}.py", f"../{_CANARY}", f"connections.d/{_CANARY}", f"file:{_CANARY}.py"),
    *("connectors.amazon", "connectors.amazon:Amazon", "connectors.registry", "os", "os.system"),
    *("builtins:eval", "subprocess:Popen", "importlib:import_module", "pickle:loads", "__main__"),
    *("Amazon", "AMAZON", "amazon ", " amazon", "amazon==1.0", "amazon.__class__", "\u0430mazon"),
    *("entry_point", "*", "", "git+https://example.com/x", "https://example.com/x.whl", "x; y"),
    *("__import__('os')", "eval('1')", "lambda: 0", "${amazon}", "{{amazon}}", "amazon\\u0000"),
)
_KNOWN = {("jobs/cli.py", "import_module"), ("mappings/generated.py", "exec")}
"""Our own commands, by a list; and code that is made of no text, which T12 looks at."""
_LOADS = {
    *("__import__", "import_module", "entry_points", "exec", "eval", "run_path", "run_module"),
    *("spec_from_file_location", "spec_from_loader", "iter_entry_points", "exec_module"),
}


def t27() -> Checked:
    """Names of connectors that are somewhere to be had: none is imported; and nothing in the tree
    imports what it is given the name of."""
    looked = sources()
    planted_source = {Path("x.py"): "importlib.import_module(name)\n"}
    planted = {"T27: a module is imported by its name": verdict(_loading(planted_source))}
    for what, found in (("modules", _imported), ("entry points", _shelved)):
        bug = Planted("", [(registry, "CONNECTORS", _Looking(registry.CONNECTORS, found))])
        with bug.in_place():
            planted[f"T27: connectors are looked for among {what}"] = verdict(_named())
    figure = f"{len(CONNECTORS)} names, 0 imported; {len(looked)} modules load none by its name"
    violations = [*_loading(looked), *_named()]
    return Checked("T27", len(CONNECTORS), figure, violations, planted)


class _Looking(dict[str, Any]):
    """The connectors, and whatever ``found`` has of that name."""

    def __init__(self, known: Mapping[str, Any], found: Callable[[str], Any]) -> None:
        super().__init__(known)
        self._found = found

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or self._found(str(name)) is not None


def _imported(name: str) -> Any:
    try:
        return import_module(name.partition(":")[0])
    except (ImportError, TypeError, ValueError):
        return None


def _shelved(name: str) -> Any:
    return next((one.load() for one in entry_points(group=_GROUP, name=name)), None)


def _named() -> list[str]:
    """What does not hold when settings name each of them."""
    violations: list[str] = []
    with tempfile.TemporaryDirectory() as name, _canary(Path(name)):
        settings = Path(name) / "settings.toml"
        for connector in CONNECTORS:
            settings.write_text(f'[connections.evil]\nconnector = "{connector}"\n', "utf-8")
            violations += _loaded(settings, connector)
    return violations


def _loaded(settings: Path, connector: str) -> Iterator[str]:
    before = set(sys.modules)
    told = _refusal(lambda: settings_loader.load(settings, registry.CONNECTORS))
    for module in sorted(set(sys.modules) - before):
        yield f"the connector {connector!r} imported {module}"
    if "there is no connector" not in told:
        yield f"the connector {connector!r}: {told[:80]}"


@contextmanager
def _canary(folder: Path) -> Iterator[None]:
    """A module that could be imported, which is also somebody's entry point."""
    (folder / f"{_CANARY}.py").write_text("class Connector: ...\n", encoding="utf-8")
    told = folder / f"{_CANARY}-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Name: {_CANARY}\nVersion: 1.0\n", encoding="utf-8")
    points = f"[{_GROUP}]\non_the_shelf = {_CANARY}:Connector\n"
    (told / "entry_points.txt").write_text(points, encoding="utf-8")
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(_CANARY, None)


def _loading(looked: Mapping[Path, str]) -> list[str]:
    """Whatever in these sources loads code by a name."""
    found = []
    for path, source in looked.items():
        for call in ast.walk(ast.parse(source)):
            if isinstance(call, ast.Call):
                name = ast.unparse(call.func).rpartition(".")[2]
                if name in _LOADS and (path.as_posix(), name) not in _KNOWN:
                    found.append(f"{path}:{call.lineno}: {name}")
    return found
