"""Alembic's way in. Run by ``state.migration_steps``, never imported.

After a change to ``state/tables`` write the step with this one command, from the repository root,
and read what it made (a rename looks like a drop and an add)::

    python -m state.migration_steps "add carrier to shipment"

It compares the tables with an empty SQLite store that all existing steps were applied to. Indexes on
expressions are not compared, as SQLite does not tell what they are about, nor are CHECKs: write those
by hand. ``tests/state/test_migrations.py`` fails where one is missing. To start over
before the first release: delete ``versions/*.py`` and run ``python -m state.migration_steps initial``.
"""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from state.tables import metadata
from state.types import Quantity, Utc


def _render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Our own column types by their name; false leaves everything else to Alembic."""
    if kind == "type" and isinstance(item, Utc | Quantity):
        autogen.imports.add("from state import types")
        return f"types.{type(item).__name__}()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=_render,
    compare_type=True,
)
context.run_migrations()
