"""Many checksums are proven in one pass, and the first that is wrong is found where the pass fails."""

from __future__ import annotations

import numpy as np
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from neokeep.neo4j.log.boundaries import SUMMED_OF_COMMIT, _with_right_checksum
from neokeep.neo4j.log.entries import COMMIT_SIZE


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=12), st.data())
def test_transactions_count_up_to_the_first_whose_checksum_is_wrong(bodies: list[bytes], data: st.DataObject) -> None:
    wrong = data.draw(st.integers(0, len(bodies)))
    log, starts, commits, stored = b"", [], [], []
    for number, body in enumerate(bodies):
        starts.append(len(log))
        commits.append(len(log) + len(body))
        summed = body + bytes(range(SUMMED_OF_COMMIT))
        stored.append(crc32c(summed) ^ (number == wrong))
        log += summed + stored[-1].to_bytes(COMMIT_SIZE - SUMMED_OF_COMMIT, "little")
    numbers = (np.array(values, np.int64) for values in (starts, commits, stored))
    assert _with_right_checksum(log, *numbers) == wrong
