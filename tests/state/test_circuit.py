"""The breaker as a pure state machine: seldom enough, never for ever, one answer is enough."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from state.circuit import FIRST_S, JITTER, LONGEST_S, OPENS_AT, Circuit

S = 1_000_000
T0 = 1_700_000_000 * S

jitters = st.floats(1.0, JITTER)
moments = st.integers(0, 10**9).map(lambda s: T0 + s * S)
circuits = st.builds(
    lambda troubles, since, ahead: Circuit(troubles, since, since + ahead * S if troubles else 0),
    st.integers(1, 60),
    moments,
    st.integers(0, round(LONGEST_S)),
)


def opened(now: int = T0, failures: int = OPENS_AT) -> Circuit:
    circuit = Circuit()
    for _ in range(failures):
        circuit = circuit.leave(now, "trouble", probe=circuit.is_open, jitter=1.0)
    return circuit


def test_it_opens_after_so_many_calls_in_a_row_and_not_before() -> None:
    assert not opened(failures=OPENS_AT - 1).is_open
    assert opened().is_open
    interrupted = opened(failures=OPENS_AT - 1).leave(T0, "answered", probe=False, jitter=1.0)
    again = interrupted.leave(T0, "trouble", probe=False, jitter=1.0)
    assert not again.is_open


@given(circuit=circuits, now=moments, probe=st.booleans(), jitter=jitters)
def test_one_answer_closes_it_whatever_was_before(
    circuit: Circuit, now: int, probe: bool, jitter: float
) -> None:
    closed = circuit.leave(now, "answered", probe=probe, jitter=jitter)
    assert closed == Circuit()
    assert closed.enter(now, jitter)[1].wait_s == 0


@given(circuit=circuits, now=moments, jitter=jitters)
def test_whatever_the_clock_says_nobody_waits_longer_than_the_longest_interval(
    circuit: Circuit, now: int, jitter: float
) -> None:
    after, entry = circuit.enter(now, jitter)
    assert entry.wait_s <= LONGEST_S * JITTER
    if not circuit.is_open:
        assert (after, entry.wait_s, entry.probe) == (circuit, 0, False)
        return
    # Whoever comes again after that is let through, as the probe, and keeps all others out.
    later = now + round(entry.wait_s * S)
    held, probe = (after, entry) if entry.probe else after.enter(later, jitter)
    assert probe.probe
    assert held.enter(later, jitter)[1].wait_s > 0


@given(
    span_s=st.integers(60, 7 * 86_400),
    steps=st.lists(st.tuples(st.integers(1, 900), jitters, st.floats(0, 5000)), min_size=1),
)
def test_over_an_outage_of_any_length_the_probes_stay_few(
    span_s: int, steps: list[tuple[int, float, float]]
) -> None:
    circuit, now, probes, asked = opened(), T0, 0, 0
    while now - T0 < span_s * S:
        pause, jitter, wished = steps[asked % len(steps)]
        asked += 1
        circuit, entry = circuit.enter(now, jitter)
        if entry.wait_s == 0:
            probes += 1
            circuit = circuit.leave(now, "trouble", probe=True, jitter=jitter, asked_s=wished)
            assert circuit.is_open
        # As the streams do: not before the next probe.
        now = max(now + pause * S, circuit.next_us)
    assert probes <= 3 + span_s / LONGEST_S


@given(circuit=circuits, now=moments, jitter=jitters)
def test_a_straggler_neither_closes_it_nor_puts_the_next_probe_off(
    circuit: Circuit, now: int, jitter: float
) -> None:
    after = circuit.leave(now, "trouble", probe=False, jitter=jitter)
    assert after == circuit if circuit.is_open else after.troubles == circuit.troubles + 1
    assert circuit.leave(now, "nothing", probe=False, jitter=jitter) == circuit


def test_a_probe_that_was_not_made_is_given_back() -> None:
    now = T0 + round(FIRST_S) * S
    held, entry = opened().enter(now, 1.0)
    assert entry.probe
    assert held.enter(now, 1.0)[1].wait_s > 0
    free = held.leave(now, "nothing", probe=True, jitter=1.0)
    assert free.enter(now, 1.0)[1].probe


def test_the_vendors_own_word_counts_up_to_the_longest_interval() -> None:
    told = opened().leave(T0, "trouble", probe=True, jitter=1.0, asked_s=86_400)
    assert told.next_us - T0 == LONGEST_S * S
