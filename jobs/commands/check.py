"""``crossdock check``: what would go wrong, and how to mend it, before it does."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from connectors.base import Finding
from connectors.breaker import asking_anyway
from jobs import app, vaults, webhooks
from jobs.commands.options import as_json, opened, require_connection, settings_option
from jobs.listing import show
from jobs.problems import OperatorError
from state import catalogue, grounds, migrate, rate_quotes
from state.store import Store
from sync import outcomes
from sync.context import Link

_COLUMNS = {
    "where": "where",
    "subject": "subject",
    "well": "",
    "detail": "detail",
    "remedy": "mend",
}

_QUOTES_READ = 200


@click.command()
@click.argument("connection", required=False)
@as_json
@settings_option
def check(config: Path | None, connection: str | None, as_json: bool) -> None:
    """Say what to mend.

    Tests settings, store (on SQLite all of its file is read), mappings, credentials and clocks.
    Ends with 1 when something has to be mended, with 2 when the settings cannot be used at all.

    \b
    Examples:
      crossdock check
      crossdock check shop-eu --json
    """
    with opened(config) as installation:
        if connection is not None:
            require_connection(installation.configuration, connection)
        found = [("installation", finding) for finding in _installation(installation)]
        for name, link in installation.hub.links.items():
            if connection in (None, name):
                found += [(name, finding) for finding in _connection(link)]
                found += [(name, finding) for finding in webhooks.findings(installation, link)]
    rows = [
        {"where": where, **asdict(finding), "well": "ok" if finding.ok else "MEND"}
        for where, finding in found
    ]
    show(rows, _COLUMNS, as_json=as_json)
    wrong = sum(not finding.ok for _, finding in found)
    if wrong:
        raise OperatorError(f"{wrong} of {len(found)} findings to mend.")


def _installation(installation: app.App) -> list[Finding]:
    """What could be loaded at all is well; the rest ended the command with its own sentence."""
    settings, hub = installation.settings, installation.hub
    count = f"{len(settings.connections)} connections, {len(settings.locations)} locations"
    findings = [
        Finding("settings", True, f"{installation.configuration.path.name}: {count}"),
        _store(hub.store),
        Finding("mappings", True, f"{len(hub.definitions)} definitions fit the canonical records"),
    ]
    rules = hub.routing
    told = f"{rules.name} ({rules.version()}): {len(rules.rules)} rules, {len(rules.rates)} rates"
    findings.append(Finding("routing", True, told))
    findings += _quoted_currencies(installation)
    if not settings.connections:
        remedy = "Add a [connections.NAME]: `crossdock connections` shows what each one needs."
        findings.append(Finding("connections", False, "there are none", remedy))
    findings += vaults.findings(installation.configuration)
    return findings + _promise_rules(installation)


def _store(store: Store) -> Finding:
    where = store.url.render_as_string(hide_password=True)
    damage = migrate.damage_in(store)
    if damage is not None:
        return Finding("store", False, f"{where} is damaged: {damage}", migrate.REMEDY_OF_DAMAGE)
    return Finding("store", True, f"{where} answers and has this version's tables")


def _quoted_currencies(installation: app.App) -> list[Finding]:
    """Carriers whose answers are of no use: their currency is known only once they answered."""
    hub = installation.hub
    if not hub.routing.quotes:
        return []
    with hub.store.read() as conn:
        rows = rate_quotes.listing(conn, hub.clock.now(), _QUOTES_READ)
    currencies: dict[str, set[str]] = {}
    for row in rows:
        currencies.setdefault(row.connection, set()).update(one["currency"] for one in row.offers)
    ours = hub.routing.currency
    remedy = f"Have the account charge in {ours}, or count in its currency in {hub.routing.name}."
    return [
        Finding("quotes", False, f"{name} quotes in {', '.join(sorted(found))}, not {ours}", remedy)
        for name, found in currencies.items()
        if found and ours not in found and name in hub.routing.quoting
    ]


def _promise_rules(installation: app.App) -> list[Finding]:
    """Rules that name a SKU or a tag there is not: they mean nothing, and nobody would notice."""
    rules = installation.hub.policy.promise.rules
    if not rules:
        return []
    codes = {rule.sku for rule in rules if rule.sku is not None}
    with installation.hub.store.read() as conn:
        unknown = codes - catalogue.existing_codes(conn, codes)
        tags = grounds.known_tags(conn)
    findings = [Finding("promise rules", True, f"{len(rules)} rules in force or dated")]
    for rule in rules:
        if rule.sku in unknown:
            remedy = "Correct it, or import the SKU: `crossdock sku import FILE`."
            findings.append(Finding(rule.name, False, f"there is no SKU {rule.sku!r}", remedy))
        if rule.tag is not None and rule.tag not in tags:
            remedy = "Correct it, or give SKUs the tag: column tags of `crossdock sku import FILE`."
            findings.append(Finding(rule.name, False, f"no SKU has the tag {rule.tag!r}", remedy))
    return findings


def _connection(link: Link) -> list[Finding]:
    found: list[Finding] = []
    with asking_anyway():
        verdict = outcomes.attempt(lambda: found.extend(link.connector.check()))
    if verdict is not None:
        remedy = "Mend it in the settings." if verdict.kind == "park_connection" else "Try again."
        found.append(Finding("connection", False, verdict.message, remedy))
    return found
