"""One PostgreSQL database for many tests, emptied between them.

A fresh copy of a template costs twenty times as much as deleting the few rows of a test.
"""

from __future__ import annotations

from sqlalchemy import URL, Connection, create_engine, text

from state.tables import metadata

_END_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

_SHAPE = """
    SELECT md5(string_agg(told, ',' ORDER BY told)) FROM (
        SELECT concat_ws(' ', oid, relname, relkind, relnatts) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', attrelid, attname, atttypid, attnotnull, atthasdef, attisdropped)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', conrelid, conname) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', tgrelid, tgname, tgenabled) FROM pg_trigger
        UNION ALL
        SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ) AS every (told)
"""

# A table that grew is truncated: of dead rows a later test would have to read its way past.
_EMPTY = """
    DO $$ DECLARE one record; BEGIN
        SET LOCAL session_replication_role = replica;
        FOR one IN
            SELECT oid::regclass AS name, pg_relation_size(oid) AS size FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        LOOP
            IF one.size > 65536 THEN EXECUTE format('TRUNCATE %s CASCADE', one.name);
            ELSIF one.size > 0 THEN EXECUTE format('DELETE FROM %s', one.name);
            END IF;
        END LOOP;
        FOR one IN
            SELECT format('%I.%I', schemaname, sequencename)::regclass AS name FROM pg_sequences
            WHERE schemaname = 'public' AND last_value IS NOT NULL
        LOOP
            PERFORM setval(one.name, 1, false);
        END LOOP;
    END $$
"""


class Database:
    """A database ``name`` of the server whose maintenance database is ``server``."""

    def __init__(self, server: URL, name: str) -> None:
        self.url = server.set(database=name)
        self._admin = create_engine(server, isolation_level="AUTOCOMMIT")
        self._engine = create_engine(self.url)
        self._create()

    def empty(self) -> None:
        """Delete every row, and start every sequence anew; made anew where a test changed it."""
        with self._engine.begin() as conn:
            conn.execute(text(_END_OTHERS)).all()
            if self._shape_of(conn) == self._shape:
                conn.execute(text(_EMPTY))
                return
        self._engine.dispose()
        self._drop()
        self._create()

    def close(self) -> None:
        self._engine.dispose()
        self._admin.dispose()

    def _create(self) -> None:
        with self._admin.connect() as conn:
            conn.execute(text(f"CREATE DATABASE {self.url.database}"))
        metadata.create_all(self._engine)
        with self._engine.connect() as conn:
            self._shape = self._shape_of(conn)

    def _drop(self) -> None:
        with self._admin.connect() as conn:
            conn.execute(text(f"DROP DATABASE {self.url.database} WITH (FORCE)"))

    @staticmethod
    def _shape_of(conn: Connection) -> str | None:
        shape: str | None = conn.scalar(text(_SHAPE))
        return shape
