"""What can be wrong with the store, in a sentence for the operator."""

from __future__ import annotations


class StoreProblem(Exception):
    """The store cannot be used as it is; the message says what to do."""


class VaultProblem(StoreProblem):
    """What is encrypted cannot be read, or must not be written, as keys are now."""


class Tampered(VaultProblem):
    """Something encrypted was changed, or put in the place of something else."""


class LostLease(Exception):
    """Another run has taken the stream over: this one must not write any more."""


class Overtaken(Exception):
    """Another run stored the same records at the same moment: this one begins again."""


class OutOfStock(Exception):
    """A reservation asked for more than is available."""


class KeyReused(Exception):
    """An idempotency key came back with another movement than the one it was first used for."""


class Misplaced(Exception):
    """A movement names a lot or a serial that is not where the movement takes it from."""
