"""G9: workers race for the last units of scarce goods."""
