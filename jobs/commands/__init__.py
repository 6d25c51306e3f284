"""The sub-commands of ``crossdock``: functions of their own name in the modules given here."""

from __future__ import annotations

COMMANDS = {
    "init": "init",
    "check": "check",
    "connections": "connections",
    "run": "run",
    "once": "once",
    "status": "status",
    "summary": "summary",
    "parked": "parked",
    "retry": "parked",
    "release": "parked",
    "explain": "explain",
    "audit": "audit",
    "mappings": "mappings",
    "replay": "replay",
    "route": "route",
    "sku": "sku",
    "stock": "stock",
    "promise": "promise",
    "guard": "guard",
    "export": "export",
}
"""In the order of the help. A module is imported when its command is asked for: what one needs
(pandas, say) must not slow down the start of another."""
