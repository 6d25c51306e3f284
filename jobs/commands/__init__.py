"""The sub-commands of ``crossdock``: functions of their own name in the modules given here."""

from __future__ import annotations

COMMANDS = {
    "init": "jobs.commands.init",
    "check": "jobs.commands.check",
    "connections": "jobs.commands.connections",
    "run": "jobs.commands.run",
    "once": "jobs.commands.once",
    "status": "jobs.commands.status",
    "summary": "jobs.commands.summary",
    "parked": "jobs.commands.parked",
    "retry": "jobs.commands.parked",
    "release": "jobs.commands.parked",
    "intents": "jobs.commands.intents",
    "explain": "jobs.commands.explain",
    "bundle": "jobs.commands.bundle",
    "audit": "jobs.commands.audit",
    "strays": "jobs.commands.strays",
    "mappings": "jobs.commands.mappings",
    "replay": "jobs.commands.replay",
    "route": "jobs.commands.route",
    "sku": "jobs.commands.sku",
    "stock": "jobs.commands.stock",
    "promise": "jobs.commands.promise",
    "guard": "jobs.commands.guard",
    "export": "jobs.commands.export",
    "privacy": "jobs.commands.privacy",
    "keys": "jobs.commands.keys",
    "hooks": "jobs.commands.hooks",
    "backup": "jobs.commands.backup",
    "restore": "jobs.commands.backup",
    "simulate": "proof.simulate",
}
"""In the order of the help. A module is imported when its command is asked for: what one needs
(pandas, say) must not slow down the start of another."""
