"""``crossdock stock``: what is where, and everything that changes it by hand."""

from __future__ import annotations

from jobs.commands.stock import bundles, deliveries, files, holds, lots, proof
from jobs.commands.stock.listing import stock

for _module in (files, deliveries, holds, lots, bundles, proof):
    for _command in _module.COMMANDS:
        stock.add_command(_command)

__all__ = ["stock"]
