"""What a period came to, for finance: rows that add up to the cent, and their files."""
