"""Guards against listings that never end, repeat themselves, or change while they are read."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from connectors.errors import Retryable

MOST_REPEATS = 3
"""So often in a row a cache may send the same page before the listing is taken for endless."""

MOST_PAGES = 20_000
"""Past this a listing is taken for endless. At 100 records a page it is two million records."""


class TokenGuard:
    """Watches a walk along opaque page tokens."""

    def __init__(self, what: str, *, empty_pages: int = 5) -> None:
        """``what`` names the listing in errors; ``empty_pages`` in a row are put up with."""
        self._what = what
        self._most_empty = empty_pages
        self._empty = 0
        self._seen: set[str] = set()
        self._pages: set[int] = set()

    def follow(self, token: str | None, page: Sequence[Hashable]) -> str | None:
        """``token`` again, when following it makes sense after a page of these records.

        Raises ``Retryable`` for a token or a page that came before, for too many empty pages in a
        row and for a walk that does not end: what is stored stays, and the next run starts afresh.
        """
        if not token:
            return None
        rows, mark = len(page), hash(tuple(page))
        if token in self._seen or (rows and mark in self._pages):
            # Under new tokens, too: a vendor that lost its place would be read for ever.
            raise Retryable(f"{self._what}: the vendor repeats a page; stopped reading")
        self._pages.add(mark)
        self._seen.add(token)
        self._empty = 0 if rows else self._empty + 1
        if self._empty > self._most_empty:
            raise Retryable(f"{self._what}: {self._empty} empty pages in a row; stopped reading")
        if len(self._seen) > MOST_PAGES:
            raise Retryable(f"{self._what}: more than {MOST_PAGES} pages; stopped reading")
        return token


class NumberedPages:
    """Walks page numbers of a closed window, sorted by an id that never changes.

    A record that leaves the window while it is read (edited, deleted) moves all later ones up, and
    the one at the page's edge would never be seen. Every reply names the total, so the walk sees
    how many left and steps back by that many: some records come twice, none is skipped.
    """

    def __init__(self, what: str, *, size: int, page: int = 1, total: int | None = None) -> None:
        """``size``: records a page. ``page``, ``total``: where an interrupted walk goes on."""
        self.page = page
        """The page to ask for next."""
        self.total = total
        self.done = False
        self._what = what
        self._size = size
        self._taken = (page - 1) * size
        """Records before the next page: an earlier walk has dealt with them, or this one."""
        self._previous: set[str] = set()
        """The last page's ids: a cache in front of the shop may send it again as the next one."""
        self._repeats = 0
        self._replies = 0
        self._second_try = False

    def take(self, ids: Sequence[str], total: int) -> bool:
        """Note a reply to the current ``page``; false when its records are to be dropped.

        ``total``: the records of the whole window, as this reply says. In the end at least as many
        different records must have come; if not the window is read once more from its start, and
        then ``Retryable`` is raised.
        """
        self._replies += 1
        if self._replies > MOST_PAGES:
            raise Retryable(f"{self._what}: more than {MOST_PAGES} pages; stopped reading")
        left = max((self.total or 0) - total, 0)
        self.total = total
        if left and self.page > 1:
            self._step_back(left)
            return False
        self._repeats = self._repeats + 1 if ids and set(ids) == self._previous else 0
        if self._repeats >= MOST_REPEATS:
            raise Retryable(f"{self._what}: the vendor repeats a page; stopped reading")
        self._taken += len(set(ids) - self._previous)
        self._previous = set(ids)
        if ids and self.page * self._size < total:
            self.page += 1
            return True
        if self._taken < total:
            self._read_again(total)
            return False
        self.done = True
        return True

    def _step_back(self, records: int) -> None:
        first = max((self.page - 1) * self._size - records, 0)
        self.page = first // self._size + 1
        # Only records that were taken stand before it: nothing but leaving moves them.
        self._taken = (self.page - 1) * self._size
        self._previous = set()

    def _read_again(self, total: int) -> None:
        if self._second_try:
            raise Retryable(
                f"{self._what}: only {self._taken} of {total} records came, twice; "
                "they are read again later"
            )
        self._second_try = True
        self.page, self._taken, self._previous = 1, 0, set()
