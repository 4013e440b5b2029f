"""Names of things, things by their names, and texts of things that may be broken.

Room: `_base.reflect`.
"""

from __future__ import annotations

from twistlike._base.reflect import (
    InvalidName,
    ModuleNotFound,
    ObjectNotFound,
    accumulateClassDict,
    accumulateClassList,
    accumulateMethods,
    fullyQualifiedName,
    namedAny,
    namedClass,
    namedModule,
    namedObject,
    prefixedMethodNames,
    prefixedMethods,
    qual,
    requireModule,
    safe_repr,
    safe_str,
)

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "InvalidName",
    "ModuleNotFound",
    "ObjectNotFound",
    "accumulateClassDict",
    "accumulateClassList",
    "accumulateMethods",
    "fullyQualifiedName",
    "namedAny",
    "namedClass",
    "namedModule",
    "namedObject",
    "prefixedMethodNames",
    "prefixedMethods",
    "qual",
    "requireModule",
    "safe_repr",
    "safe_str",
]
