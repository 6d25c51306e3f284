"""What the machine has found and is not mended yet: each is kept out of the way by its name.

When one is mended its guard is set to false, and then taken out with what asks for it; its story
in ``stories.FOUND`` goes to the others.
"""

from __future__ import annotations

CLOSED_STAYS_CLOSED = True
"""Goods that are added to an order which is closed are never planned (``sync.amendment``)."""

EDITED_DOWN_IS_FORGOTTEN = True
"""Fewer are wanted of what a location has in hand; when it gives up, the old number is planned
(``sync.amendment``, ``sync.rerouting``)."""

NEW_LINE_UNMARKED = True
"""A line that an edit adds does not have its SKU's promise computed anew (``sync.amendment``)."""

COMPLETED_UNMARKED = True
"""An order that the shop completes by itself does not have the promises computed anew of what it
waited for (``sync.amendment``)."""
