"""The threats of what exists, each with a check that is run and a planted bug that it notices."""
