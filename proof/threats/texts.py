"""T14, T15, T21 and T31: text that wants to be a formula, a query, a secret or a command of the
terminal."""

from __future__ import annotations

import ast
import csv
import io
import json
import logging
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx
import structlog

from connectors import csvtext, judgement
from connectors.errors import CrossdockError
from connectors.redaction import redact
from jobs import listing, logs
from jobs.settings import LogSettings
from proof.fuzz.replies import SCENARIOS
from proof.planting import Planted
from proof.threats.check import Checked, verdict
from sandbox.clock import ManualClock
from sandbox.installation import SECRETS
from sync import spreadsheets
from sync.reconciliation import formats
from sync.reconciliation.columns import Column
from sync.reconciliation.workbook import workbook

NOW = datetime(2026, 11, 2, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
_CALLS = ("SUM(1)", "cmd|' /C calc'!A0", 'HYPERLINK("http://x","y")', "IMPORTXML(A1,B1)")
FORMULAS = tuple(
    f"{before}{sign}{call}"
    for sign in ("=", "+", "-", "@", "|", "\uff1d", "\uff0b", "\uff0d", "\uff20")
    for before, call in zip(
        ("", " ", "\t", "\r\n", "\xa0", "\u200b", "\ufeff"), _CALLS * 2, strict=False
    )
)
AMOUNTS = (Decimal("-12.34"), Decimal("-0.01"), Decimal("1234567.89"), Decimal(-5), Decimal(0))
TERMINAL = tuple(
    text.format(part)
    for part in ("x", "Ada")
    for text in (
        *(
            "\x1b[2J{}",
            "\x1b]0;{}\x07",
            "\x1b[31m{}",
            "{}\x1b[1A",
            "\x9b2J{}",
            "{}\x08\x08",
            "\x07{}",
        ),
        *(
            "{}\r",
            "{}\nforged line",
            "{}\r\nforged",
            "\u202e{}",
            "\u2066{}\u2069",
            "\u200f{}",
            "\x00{}",
        ),
        *(
            "{}\u2028forged",
            "{}\u2029forged",
            "{}\x85forged",
            "\u061c{}",
            "\x1bP{}\x1b\\",
            "{}\x0b",
        ),
        *("\x1b]8;;http://evil\x07{}", "\x1b]52;c;{}\x07", "\ufeff{}", "{}\x0c", "\x7f{}"),
    )
)
_OPENS = re.compile(
    r"[\s\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060\ufeff]*[=+\-@|＝＋－＠]"
)


def t14() -> Checked:
    """Formulas in CSV and workbooks; amounts below zero stay numbers."""
    violations = _t14()
    bugs = (
        Planted("a drop folder's cells are as they came", [(csvtext, "defused", str)]),
        Planted("finance's cells are as they came", [(spreadsheets, "neutral", str), _cells(str)]),
    )
    planted = {}
    for bug in bugs:
        with bug.in_place():
            planted[f"T14: {bug.name}"] = verdict(_t14())
    figure = f"{len(FORMULAS)} payloads x 3 exports, 0 formulas; {len(AMOUNTS)} amounts intact"
    return Checked("T14", len(FORMULAS) * 3, figure, violations, planted)


def _cells(text: Any) -> tuple[Any, str, Any]:
    return formats, "_CSV_CELLS", {**formats._CSV_CELLS, "text": text}


def _t14() -> list[str]:
    violations = []
    rows = [{"name": text, "amount": AMOUNTS[n % len(AMOUNTS)]} for n, text in enumerate(FORMULAS)]
    handed = csvtext.write_rows(rows, csvtext.Dialect()).decode("utf-8-sig")
    with tempfile.TemporaryDirectory() as name:
        columns = (Column("name"), Column("currency"), Column("amount", "amount"))
        told = [{**row, "currency": "EUR"} for row in rows]
        path = Path(name) / "x.csv"
        out = formats.Csv(path, columns)
        out.add(formats.frame(columns, told))
        out.close()
        book = Path(name) / "x.xlsx"
        with workbook(book, {"orders": columns}, NOW) as sheets:
            sheets["orders"].add(formats.frame(columns, told))
        exported = path.read_text("utf-8-sig")
        with zipfile.ZipFile(book) as packed:
            sheet = packed.read("xl/worksheets/sheet1.xml").decode()
    for what, text in (("drop folder", handed), ("finance", exported)):
        found = list(csv.DictReader(io.StringIO(text, newline="")))
        violations += [
            f"{what}: {row['name']!r} runs" for row in found if _OPENS.match(row["name"])
        ]
        if [Decimal(row["amount"]) for row in found] != [row["amount"] for row in rows]:
            violations.append(f"{what}: amounts are other ones")
    if "<f>" in sheet or "<hyperlink" in sheet:
        violations.append("the workbook holds formulas or links")
    return violations


def t15() -> Checked:
    """No query is put together from text: every ``text`` and every driver's query is a literal."""
    found, looked = _queries(sources())
    planted_source = {Path("x.py"): 'text(f"SELECT {name}")\nconn.exec_driver_sql("a" + b)\n'}
    planted = {"T15: a query made of a name": verdict(_queries(planted_source)[0])}
    figure = f"{looked} modules, 0 queries of text"
    return Checked("T15", looked, figure, found, planted, "modules")


_KNOWN = {
    ("state/store.py", "cursor.execute"),
    ("state/tables/orders.py", "text"),
    ("state/stock/rebuild.py", "text"),
    ("state/backup/load.py", "text"),
    ("state/backup/place.py", "conn.exec_driver_sql"),
}
"""Put together of constants of the module, and of names from the database's own catalogue: looked
at one by one."""


def sources() -> dict[Path, str]:
    return {
        path.relative_to(ROOT): path.read_text(encoding="utf-8")
        for package in ("connectors", "sync", "state", "jobs", "mappings")
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
    }


def _queries(sources: Mapping[Path, str]) -> tuple[list[str], int]:
    violations = []
    for path, source in sources.items():
        for call in ast.walk(ast.parse(source)):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            name = ast.unparse(call.func)
            ends = name.rpartition(".")[2]
            made = isinstance(call.args[0], ast.JoinedStr | ast.BinOp)
            wanted = name == "text" or ends in ("exec_driver_sql", "literal_column", "execute")
            if wanted and made and (path.as_posix(), name) not in _KNOWN:
                violations.append(f"{path}:{call.lineno}: {name} of text put together")
    return violations, len(sources)


_OF_CONNECTOR = {
    "woocommerce": ("woo_key", "woo_secret"),
    "amazon": ("amazon_secret", "amazon_refresh"),
    "shipbob": ("shipbob_token",),
    "shipengine": ("shipengine_key",),
}


def t21(size: int = 400) -> Checked:
    """Credentials that vendors echo, in every place of a reply: they show in no message, no log
    line and no ``repr``."""
    violations = _t21(size)
    bugs = (
        Planted("messages are not redacted", [(judgement, "redact", _as_it_is)]),
        Planted("log lines are not redacted", [(logs, "redact", _as_it_is)]),
    )
    planted = {}
    for bug in bugs:
        with bug.in_place():
            planted[f"T21: {bug.name}"] = verdict(_t21(size))
    figure = f"{len(SECRETS)} credentials x {size} replies at level debug, 0 shown"
    return Checked("T21", size, figure, violations, planted)


def _as_it_is(text: str, _secrets: Sequence[str] = (), _limit: int = 0, **_: Any) -> str:
    return text


def _t21(size: int) -> list[str]:
    rng = Random(21)
    violations: list[str] = []
    with logged(set(SECRETS.values())) as written:
        log = structlog.get_logger()
        for number in range(size):
            scenario = rng.choice(SCENARIOS)
            # A vendor knows the credentials of its own connection, and no other ones.
            own = _OF_CONNECTOR[scenario.name.partition(" ")[0]]
            secrets = [SECRETS[name] for name in own]
            try:
                scenario.run(_Echo(rng, secrets))
            except CrossdockError as error:
                if any(secret in f"{error} {error!r}" for secret in secrets):
                    violations.append(f"the message: {scenario.name} shows a credential")
                log.debug("failed", error=str(error))
            log.debug("said", text=f"token {rng.choice(secrets)} {number}")
    shown = written.getvalue()
    violations += [f"the log: {name} shows" for name, secret in SECRETS.items() if secret in shown]
    if shown.count("said") != size:
        violations.append("the log: lines are missing, so nothing is proven")
    return violations


@contextmanager
def logged(secrets: set[str]) -> Iterator[io.StringIO]:
    """The log at level debug, as JSON lines, for as long as the block lasts."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    written = io.StringIO()
    with redirect_stderr(written):
        settings = LogSettings(level="debug", format="json")
        logs.configure(settings, ManualClock(NOW), secrets)  # type: ignore[arg-type]  # only read
    try:
        yield written
    finally:
        root.handlers = before
        root.setLevel(level)
        structlog.reset_defaults()


class _Echo(httpx.BaseTransport):
    """A vendor that says our credentials back to us, in one of many ways."""

    def __init__(self, rng: Random, secrets: Sequence[str]) -> None:
        self._rng = rng
        self._secrets = secrets

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        rng = self._rng
        secret = rng.choice([*self._secrets, *request.headers.values()])
        status = rng.choice((200, 400, 401, 403, 404, 409, 422, 429, 500, 503))
        if rng.random() < 0.2:
            raise rng.choice((httpx.ConnectError, httpx.ReadError, httpx.ReadTimeout))(secret)
        body: Any = rng.choice(
            (
                {"message": f"bad token {secret}", "code": secret},
                {"errors": [{"message": secret, "code": f"x {secret}"}]},
                {"errors": {secret: [secret]}},
                {"title": secret, "detail": secret, "access_token": secret, "expires_in": 60},
                secret,
                [secret],
            )
        )
        return httpx.Response(status, json=body, headers={"location": f"https://x/?k={secret}"})


def t31() -> Checked:
    """Names of customers and of files that would move the cursor or forge a second line."""
    violations = _t31()
    bugs = (
        Planted("a table shows what came", [(listing, "shown", str)]),
        Planted("a log line shows what came", [(logs, "redact", _as_it_is)]),
    )
    planted = {}
    for bug in bugs:
        with bug.in_place():
            planted[f"T31: {bug.name}"] = verdict(_t31())
    return Checked(
        "T31", len(TERMINAL), f"{len(TERMINAL)} payloads, 0 got through", violations, planted
    )


def _t31() -> list[str]:
    violations = []
    for text in TERMINAL:
        if not listing.shown(text).isprintable():
            violations.append(f"the table: {text!r} gets through")
        if not redact(text).isprintable():
            violations.append(f"the message: {text!r} gets through")
    with logged(set()) as written:
        for text in TERMINAL:
            structlog.get_logger().warning("named", name=text)
    lines = written.getvalue().splitlines()
    if len(lines) != len(TERMINAL):
        violations.append(f"the log: {len(lines)} lines for {len(TERMINAL)} events")
    for line in lines:
        if not str(json.loads(line)["name"]).isprintable():
            violations.append(f"the log: {line[:80]!r} gets through")
    return violations
