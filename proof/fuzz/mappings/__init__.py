"""Random mapping definitions on random payloads."""
