"""Keys of what is kept encrypted; each is itself encrypted by a key that is not in the store."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, UniqueConstraint

from state.tables.base import pk, table
from state.tables.base import text as words

# One for each record of a channel or a location: an order, and the payloads that told of it.
data_key = table(
    "data_key",
    pk(),
    # 0: of the store itself (the key by which e-mail addresses are found).
    Column("connection_id", BigInteger, nullable=False),
    words("topic"),
    words("external_id"),
    # Which master key it is encrypted by, and the outcome.
    words("master"),
    Column("wrapped", LargeBinary, nullable=False),
    UniqueConstraint("connection_id", "topic", "external_id"),
    Index("ix_data_key_master", "master"),
)
