"""What belongs to threads and a loop is not copied."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from twistlike.internet.asyncioreactor import AsyncioSelectorReactor
from twistlike.internet.threads import ThreadsafeQueue
from twistlike.python.threadpool import ThreadPool


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize(
    "make",
    [
        ThreadPool,
        AsyncioSelectorReactor,
        ThreadsafeQueue,
        lambda: AsyncioSelectorReactor().callLater(1, int),
    ],
    ids=["pool", "reactor", "queue", "timer"],
)
def test_a_copy_is_refused(make: Callable[[], object], how: Callable[[object], object]) -> None:
    """Also one of what holds it; the error names the class."""
    thing = make()
    with pytest.raises(TypeError, match=rf"^{type(thing).__name__} objects cannot be copied"):
        how(thing)
    if how is not copy.copy:
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            how([thing])
