"""Everything in one SQLite file: the embedded store of one machine."""

from daylily_state.store.sqlite.schema import SchemaError
from daylily_state.store.sqlite.store import SqliteStore

__all__ = ["SchemaError", "SqliteStore"]
