"""Values for all that a call calls, without handing them down as arguments.

Room: `_base.context`. Programs assign to names of this module, as Twisted lets them, so the two are
one module object.
"""

from __future__ import annotations

import sys

from twistlike._base import context
from twistlike._base.context import (
    ContextTracker,
    ThreadedContextTracker,
    call,
    defaultContextDict,
    get,
    installContextTracker,
    setDefault,
    theContextTracker,
)

__all__ = [
    "ContextTracker",
    "ThreadedContextTracker",
    "call",
    "defaultContextDict",
    "get",
    "installContextTracker",
    "setDefault",
    "theContextTracker",
]

sys.modules[__name__] = context
