from __future__ import annotations

import pytest

from combine.backoff import Backoff, doubled, jittered


def test_pauses_double_up_to_the_limit_and_start_again_after_a_reset():
    backoff = Backoff(1.0, 5.0)
    pauses = [backoff.next_s() for _ in range(5)]
    for pause, full in zip(pauses, (1, 2, 4, 5, 5), strict=True):
        assert full / 2 <= pause <= full
    backoff.reset()
    assert backoff.next_s() <= 1.0


def test_the_limit_holds_after_any_number_of_failures():
    assert doubled(0.1, 2.0, 10_000) == 2.0


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 1.0), (1.0, 2.0)])
def test_jitter_is_at_most_half(chance, pause):
    assert jittered(2.0, lambda: chance) == pause
