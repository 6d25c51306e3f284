"""How vendors misbehave as a matter of habit: each habit off until it is switched on.

A fault of ``sandbox.faults`` spoils one call; a quirk is part of what the vendor is. Whom a share
strikes is drawn from the seed and the record's own id, so nothing depends on who asks when.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any


@dataclass
class Quirks:
    """Shares are 0 to 1, names ending in ``_s`` are seconds of the sandbox clock.

    Orders of the channels, and of the 3PL where it lists them:

    * ``late_share``, ``late_s``: a change shows in listings only so long after its time stamp;
    * ``vanishing_share``, ``vanishes_after_s``, ``vanishes_for_s``: an order is gone for a while,
      from listings and by its id;
    * ``coarse_s``: times of change are rounded down to so many seconds;
    * ``unsorted``: listings come in no order, whatever was asked for;
    * ``empty_pages``: so many empty ones, with more to come, before each page (Amazon);
    * ``endless``: the last page points on to itself for ever, under new names;
    * ``page_token_s``: life of a page token, 24 hours when null (Amazon);
    * ``edits_while_paging``, ``deletes_while_paging``: how many orders of a page change, or are
      deleted for good when nobody ships them, once it was read and before the next one is.

    Credentials (Amazon): ``access_token_s``: tokens die so soon, though an hour is promised;
    ``rotates_refresh_tokens``: each use voids the refresh token and answers a new one.

    Look-ups by our reference: ``index_lag_s``: not found before; ``unique_references`` off: the
    vendor takes the same reference twice; ``twins_share``: it makes two out of one by itself.

    The 3PL: ``ships_cancelled_share``: it confirms a cancellation and ships all the same;
    ``repeats_shipments``: lists each shipment twice; ``shipments_late_s``: tells of a shipment so
    late, with the time it really left. ``missing_skus``: left out of stock listings;
    ``odd_levels``: SKU -> the quantity on hand that is told instead.

    ``walk_ins_per_day``: units a day that the channels sell past the hub, without an order (from
    the second day on). ``refused_items``: SKUs and order ids refused singly out of any batch.
    """

    late_share: float = 0.0
    late_s: float = 0.0
    vanishing_share: float = 0.0
    vanishes_after_s: float = 1800.0
    vanishes_for_s: float = 1800.0
    coarse_s: int = 0
    unsorted: bool = False
    empty_pages: int = 0
    endless: bool = False
    page_token_s: float | None = None
    edits_while_paging: int = 0
    deletes_while_paging: int = 0
    access_token_s: float | None = None
    rotates_refresh_tokens: bool = False
    index_lag_s: float = 0.0
    unique_references: bool = True
    twins_share: float = 0.0
    ships_cancelled_share: float = 0.0
    repeats_shipments: bool = False
    shipments_late_s: float = 0.0
    missing_skus: frozenset[str] = frozenset()
    odd_levels: Mapping[str, float] = field(default_factory=dict)
    walk_ins_per_day: int = 0
    refused_items: frozenset[str] = frozenset()
    seed: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    """By name: to how many records it really happened."""
    _met: set[tuple[str, str]] = field(default_factory=set, repr=False)

    def change(self, **given: Any) -> None:
        """Switch some of them. Raises ValueError for what is none, or has another type."""
        for name, value in given.items():
            if name not in _SWITCHES:
                raise ValueError(f"no quirk {name!r}: one of {', '.join(sorted(_SWITCHES))}")
            known = _SWITCHES[name]
            if isinstance(known, frozenset):
                value = frozenset(str(one) for one in value)
            elif isinstance(known, bool) is not isinstance(value, bool):
                raise ValueError(f"{name}: {value!r} will not do")
            setattr(self, name, value)

    def settings(self) -> dict[str, Any]:
        """Every quirk as it is set, as JSON can hold it."""
        return {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name in _SWITCHES
            for value in (getattr(self, name),)
        }

    def note(self, name: str, key: object) -> None:
        """It happened to this record; each counts once."""
        if (name, str(key)) not in self._met:
            self._met.add((name, str(key)))
            self.struck[name] += 1

    def draws(self, name: str, key: object, share: float) -> bool:
        """Whether a share strikes this record: always the same answer."""
        return share > 0 and random.Random(f"{self.seed}:{name}:{key}").random() < share

    def gone(self, key: object, created: datetime, now: datetime) -> bool:
        """Is this order away for a while?"""
        since = now - created - timedelta(seconds=self.vanishes_after_s)
        away = (timedelta(0) <= since < timedelta(seconds=self.vanishes_for_s)) and self.draws(
            "vanishing", key, self.vanishing_share
        )
        if away:
            self.note("vanishing", key)
        return away

    def unlisted(self, key: object, created: datetime, modified: datetime, now: datetime) -> bool:
        """Does a listing not show this record (in its newest state) now?"""
        late = now - modified < timedelta(seconds=self.late_s) and self.draws(
            "late", key, self.late_share
        )
        if late:
            self.note("late", key)
        return late or self.gone(key, created, now)

    def unfound(self, key: object, created: datetime, now: datetime) -> bool:
        """Does the index of references not know it yet?"""
        lagging = now - created < timedelta(seconds=self.index_lag_s)
        if lagging:
            self.note("index_lag", key)
        return lagging

    def stamped(self, moment: datetime) -> datetime:
        """A time of change as this vendor writes it."""
        if not self.coarse_s:
            return moment
        whole = int(moment.timestamp()) // self.coarse_s * self.coarse_s
        return datetime.fromtimestamp(whole, UTC)

    def refuses(self, item: str) -> bool:
        """Is this item of a batch refused singly?"""
        if item in self.refused_items:
            self.note("refused_items", item)
        return item in self.refused_items


def shuffled(key: object) -> str:
    """What to sort by so that no order is left, and always the same one."""
    return hashlib.sha256(str(key).encode()).hexdigest()


_NOT_SWITCHED = {"seed", "struck", "_met"}
_SWITCHES = {
    one.name: getattr(Quirks(), one.name) for one in fields(Quirks) if one.name not in _NOT_SWITCHED
}
