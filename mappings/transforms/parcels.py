"""Parcels: who carries them."""

from __future__ import annotations

from mappings.problems import Unfit
from mappings.tracking_numbers import carrier_of
from mappings.transforms.registry import transform
from mappings.transforms.texts import text


@transform
def carrier_of_tracking(
    value: object, *, named: str | None = None, among: list[str] | None = None
) -> str | None:
    """The carrier that the sender has named, else the one that the tracking number tells.

    A number that more than one carrier may have tells nothing; a number of digits only is looked
    at where ``among`` lists every carrier that the sender uses.

    >>> carrier_of_tracking("1Z5R89390357567127"), carrier_of_tracking("1Z5", named="gls")
    ('ups', 'gls')
    >>> carrier_of_tracking("986578788855", among=["fedex", "ups"])
    'fedex'
    """
    if not all(isinstance(carrier, str) for carrier in among or ()):
        raise Unfit("among must be a list of texts")
    return named or carrier_of(text(value), among or ())
