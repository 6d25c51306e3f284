"""A pretend outside world: vendors with state, faults, limits and a clock of their own.

Used by the demo, the tests, the simulation and the benchmarks. Imports nothing of ours, so that
it can be the oracle: what the sandbox holds at the end is the truth the hub is judged by.
"""
