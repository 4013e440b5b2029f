"""Which thread is the reactor's, and locks for classes whose methods several threads call.

Room: `_base.threadable`. Programs assign to names of this module, as Twisted lets them, so the
two are one module object.
"""

from __future__ import annotations

import sys

from twistlike._base import threadable
from twistlike._base.threadable import (
    XLock,
    getThreadID,
    init,
    ioThread,
    isInIOThread,
    registerAsIOThread,
    synchronize,
    threaded,
)

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "XLock",
    "getThreadID",
    "init",
    "ioThread",
    "isInIOThread",
    "registerAsIOThread",
    "synchronize",
    "threaded",
]

sys.modules[__name__] = threadable
