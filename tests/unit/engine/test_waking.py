"""The wait between two polls of the queue, without a queue."""

import threading
import time

import pytest

from combine.engine.waking import WakeableStop

HOUR = 3600.0


def never() -> bool:
    return False


@pytest.fixture
def stop():
    """After the first poll."""
    made = WakeableStop(never)
    assert made.wait(HOUR) is False, "the first poll is immediate"
    return made


def later(action) -> None:
    timer = threading.Timer(0.05, action)
    timer.daemon = True
    timer.start()


def polls_within(stop, seconds: float, pause: float) -> int:
    end, polls = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        assert stop.wait(pause) is False
        polls += 1
    return polls


def test_a_wake_ends_a_long_wait(stop):
    later(stop.wake)
    assert stop.wait(HOUR) is False


def test_a_wake_during_a_poll_leads_to_one_more(stop):
    stop.wake()
    stop.wake()
    assert stop.wait(HOUR) is False
    began = time.monotonic()
    assert stop.wait(0.05) is False
    assert time.monotonic() - began >= 0.05


def test_without_a_wake_the_interval_counts(stop):
    assert polls_within(stop, 0.2, 0.05) <= 5


def test_a_flood_of_wakes_causes_few_polls(stop):
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            stop.wake()
            time.sleep(0.0005)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        assert polls_within(stop, 0.3, HOUR) <= 17
    finally:
        over.set()
        thread.join()


def test_without_a_free_slot_it_polls_often_but_does_not_spin():
    full = WakeableStop(lambda: True)
    full.wait(HOUR)
    assert 1 <= polls_within(full, 0.3, HOUR) <= 4


@pytest.mark.parametrize("woken", [False, True])
def test_the_end_is_noticed_at_once(stop, woken):
    if woken:
        stop.wake()
    later(stop.set)
    while not stop.wait(HOUR):
        pass
    assert stop.is_set()
    assert stop.wait(HOUR) is True
