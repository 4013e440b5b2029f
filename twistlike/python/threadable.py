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
