"""Hostile input into the real parsers and commands: a result or a refusal, and nothing else."""
