"""When Python looks for garbage that refers to itself."""

from __future__ import annotations

import gc


def settle() -> None:
    """What is here by now stays for the life of the process, and a batch of records is none.

    Looking for garbage again and again in what is built once costs a tenth of the intake; looking
    among the some hundred objects of every order, at Python's usual 700 new ones, three percent.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
