"""Deferreds. What is here is made in this folder's modules; each name is handed on from there."""

from __future__ import annotations

from twistlike.internet.defer._combine import *
from twistlike.internet.defer._coroutines import *
from twistlike.internet.defer._deferred import *
from twistlike.internet.defer._errors import *
from twistlike.internet.defer._locks import *

for _value in list(globals().values()):
    if callable(_value) and _value.__module__.startswith(f"{__name__}._"):
        _value.__module__ = __name__
del _value
