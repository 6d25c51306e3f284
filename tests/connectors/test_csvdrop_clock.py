"""A partner whose clock is ahead of ours: a file is taken once, however far in the future it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from connectors.base import Cursor
from connectors.csvdrop import CsvDrop, CsvDropConfig
from connectors.http import Door
from mappings import Definitions
from sandbox.clock import ManualClock


def test_a_file_of_the_future_is_taken_once_and_archived(
    tmp_path: Path, definitions: Definitions, open_door: Callable[..., Door], clock: ManualClock
) -> None:
    connector = CsvDrop(CsvDropConfig(folder=tmp_path), open_door(), definitions)
    connector.check()
    counts = tmp_path / "in" / "stock" / "counts.csv"
    counts.write_text("sku,on_hand\nMUG-1,5\n")
    ahead = (clock.now() + timedelta(hours=5)).timestamp()
    os.utime(counts, (ahead, ahead))
    cursor: Cursor | None = None
    taken = []
    for _ in range(6):
        for page in connector.pull_stock(cursor):
            taken += [record.external_id for record in page.records]
            cursor = page.cursor
        clock.advance(60)
    assert taken == ["MUG-1@"]
    assert not counts.exists()
    assert len(list((tmp_path / "archive" / "stock").iterdir())) == 1
    assert cursor == {"v": 1, "done": [], "waiting": {}}
