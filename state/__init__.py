"""What do we know? Tables, queries and the one place that speaks SQL."""
