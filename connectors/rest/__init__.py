"""Any JSON API, described wholly in the settings (ADR 10)."""

from connectors.rest.connector import Rest

__all__ = ["Rest"]
