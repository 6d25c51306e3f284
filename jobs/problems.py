"""What the person at the terminal can mend, as a sentence and a remedy."""

from __future__ import annotations


class OperatorError(Exception):
    """Something the operator has to change. Shown without a traceback; ``code`` is the exit code.

    Exit codes: 0 all well, 1 something failed or was found, 2 wrong usage or configuration.
    """

    code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class UsageProblem(OperatorError):
    """The command or the configuration asks for something that does not exist."""

    code = 2
