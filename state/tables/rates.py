"""What carriers said that parcels would cost."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Text

from state.tables.base import at, pk, ref, table
from state.tables.base import text as words
from state.types import Json

# One answer about one lane: parcels up to a weight from a location to a postcode. A newer one of
# the same lane takes its place and leaves it here until it is pruned.
rate_quote = table(
    "rate_quote",
    pk(),
    ref("connection_id", "connection"),
    ref("location_id", "location", index=False),
    Column("to_country", Text, nullable=False),
    Column("to_postcode", Text, nullable=False),
    # Grams, rounded up to a step of the rules.
    Column("weight_g", BigInteger, nullable=False),
    at("quoted_at", null=False),
    at("valid_until", null=False),
    # [{"carrier": "dpd", "service": "dpd_classic", "amount": 480, "currency": "EUR", "days": 2}]:
    # minor units, days in transit or null.
    Column("offers", Json, nullable=False),
    # Why there are none, where the carrier said so.
    words("problem"),
    Index("ix_rate_quote_lane", "location_id", "to_country", "to_postcode", "valid_until"),
    Index("ix_rate_quote_valid_until", "valid_until"),
)
