"""What the entries of a token index stand for is summed up the same way by compiled code as without it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neokeep.consistency.token_indexes import sums_of_entries

RANGES = st.integers(0, 1 << 20) | st.sampled_from([(1 << 44) - 1, -1])
WORDS = st.integers(0, (1 << 64) - 1) | st.sampled_from([0, 1, 1 << 63, (1 << 64) - 1])


@given(st.lists(st.tuples(RANGES, WORDS), min_size=1, max_size=20))
def test_compiled_code_sums_up_the_same(entries: list[tuple[int, int]]) -> None:
    ranges = np.array([one for one, _ in entries], np.int64)
    values = np.frombuffer(b"".join(word.to_bytes(8, "big") for _, word in entries), np.uint8).reshape(-1, 8)
    slow, quick = (sums_of_entries(ranges, values, quickly=quickly) for quickly in (False, True))
    assert np.array_equal(slow, quick)
    assert len(slow) == len(entries)
