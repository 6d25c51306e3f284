"""Text that ends up in spreadsheets."""

from __future__ import annotations

import re

_SKIPPED = r"[\s\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060\ufeff]*"
_STARTS = r"[=+\-@|−＝＋－＠｜﹦﹢﹣﹫]"
_CELL = re.compile(rf"(?:\A|[;\t\r\n]){_SKIPPED}({_STARTS})?")
"""Where a cell may begin, with all that shows nothing behind it: taken as a whole, so that however
much of that there is, each character is looked at once."""
_SEPARATOR = re.compile(r"[;\t\r\n]")
_BLANK = re.compile(r" *[\t\r]")


def neutral(value: str) -> str:
    """Text that no spreadsheet takes for a formula: a suspicious start gets an apostrophe.

    Also after a semicolon, a tab or a line end: where those separate cells (Excel in much of
    Europe), the quotes around a cell of ours do not keep it together.

    >>> neutral("=HYPERLINK(1)"), neutral(" -1+1"), neutral("a;=1"), neutral("Ada")
    ("'=HYPERLINK(1)", "' -1+1", "a;'=1", 'Ada')
    """
    return ("'" if _BLANK.match(value) else "") + _CELL.sub(_kept_as_text, value)


def _kept_as_text(cell: re.Match[str]) -> str:
    if cell[1] is None:
        return cell[0]
    # A semicolon shows, so that the text does not begin behind it.
    at_start = cell.start() == 0 and not cell[0].startswith(";")
    begins = "'" if at_start and not _BLANK.match(cell.string) else ""
    return begins + _SEPARATOR.sub(r"\g<0>'", cell[0])
