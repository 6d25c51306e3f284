"""The guard: a run that would change too much at once stops, shows the difference and asks."""
