from __future__ import annotations

import numpy as np
from toklab.bench.metrics.features import Features


def test_features_are_equal_where_their_content_is() -> None:
    array = np.arange(6, dtype=np.float32)
    one, same, other = Features(array.reshape(2, 3)), Features(array.reshape(2, 3).copy()), Features(array + 1)
    assert one == same
    assert hash(one) == hash(same)
    assert len({one, same, other, Features(array.reshape(3, 2))}) == 3
    assert one != other
    assert one != "features"
