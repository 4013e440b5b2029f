"""Which port or connection is calling its protocol now, for the `system` of what that logs.

One attribute, which costs a callback 40 ns: values of a context of its own would cost each
connection 464 bytes.

Thread: a reactor's. Reactors of several threads share it, so its reader looks whose it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["ILogKeys", "now"]


class ILogKeys(Protocol):
    """What calls protocols."""

    def logKeys(self, keys: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what an event gets that is logged here, given what the context has for it."""
        ...


class _Now:
    """The one place where it is noted. A slot, since a module's attribute takes 40 ns to set."""

    __slots__ = ("caller", "present")

    caller: ILogKeys | None
    present: Callable[[], object]


now = _Now()
"""`now.caller` is what is in a callback. Who sets it sets it back when the callback returns.

`now.present` returns what the present context has for events, leaving the caller out.
"""

now.caller = None
