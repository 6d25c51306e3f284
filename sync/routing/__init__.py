"""Which location ships what: a rule file, the facts of an order and of the locations, a decision.

``decide.decide`` is pure: everything it needs comes in and everything it thought goes out, so that
a stored decision can be recomputed from what is stored with it. ``survey`` reads the facts from
the store, ``trace`` keeps decisions there.
"""
