"""``python -m proof.soak.life BUG -- run``: the product's command, perhaps with a bug in it.

Two bounds of the product are smaller than they are, so that minutes come up against them.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from jobs import housekeeping
from jobs.cli import main
from proof.soak.bugs import BUGS

KEEP_RUNS = timedelta(hours=2)
"""Of the hub's clock, instead of thirty days."""
PAGES_KB = 256
"""Of the store that a connection keeps in memory, instead of 4 MB: these fill up as the store
grows, and whatever grows beside them would not be seen."""


def _few_pages(dbapi: Any, *_: object) -> None:
    if type(dbapi).__module__ == "sqlite3":
        dbapi.execute(f"PRAGMA cache_size = -{PAGES_KB}").close()


if __name__ == "__main__":
    bug, sys.argv[1:] = sys.argv[1], sys.argv[3:]
    housekeeping.KEEP_RUNS = KEEP_RUNS
    event.listen(Pool, "checkout", _few_pages)
    with BUGS[bug]():
        main()
