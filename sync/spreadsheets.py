"""Text that ends up in spreadsheets."""

from __future__ import annotations

import re

_SKIPPED = r"[\s\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060\ufeff]*"
_STARTS = r"[=+\-@|−＝＋－＠｜﹦﹢﹣﹫]"
_FORMULA = re.compile(rf"(\A|[;\t\r\n])(?={_SKIPPED}{_STARTS})|\A(?= *[\t\r])")


def neutral(value: str) -> str:
    """Text that no spreadsheet takes for a formula: a suspicious start gets an apostrophe.

    Also after a semicolon, a tab or a line end: where those separate cells (Excel in much of
    Europe), the quotes around a cell of ours do not keep it together.

    >>> neutral("=HYPERLINK(1)"), neutral(" -1+1"), neutral("a;=1"), neutral("Ada")
    ("'=HYPERLINK(1)", "' -1+1", "a;'=1", 'Ada')
    """
    return _FORMULA.sub(r"\1'", value)
