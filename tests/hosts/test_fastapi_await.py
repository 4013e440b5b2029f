"""A handler of FastAPI's that forgets to await: an error says so, and no empty answer is given."""

from __future__ import annotations

import pytest

from twistlike.internet import defer

fastapi = pytest.importorskip("fastapi")
testclient = pytest.importorskip("fastapi.testclient")


class Answer(defer.Deferred[int]):
    """A user's own class, with a dictionary of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.__dict__["note"] = 1


@pytest.mark.parametrize(
    "make",
    [defer.Deferred, lambda: defer.succeed(1), lambda: [{"x": defer.Deferred()}]],
    ids=["waiting", "fired", "nested"],
)
@pytest.mark.parametrize("kind", ["coroutine", "function"])
def test_a_forgotten_await_is_an_error(make: object, kind: str) -> None:
    """The answer is no `{}`; FastAPI takes the mapping or the dictionary of any object."""
    app = fastapi.FastAPI()
    assert callable(make)

    async def forget() -> object:
        return make()

    app.get("/", response_model=None)(forget if kind == "coroutine" else make)
    with pytest.raises(ValueError, match=r"Deferred.* was taken for a mapping.*`await` it"):
        testclient.TestClient(app).get("/")


def test_others_may_put_attributes_on_a_deferred() -> None:
    """What has attributes has its dictionary, and so has any class of a user's."""
    deferred: defer.Deferred[int] = defer.Deferred()
    with pytest.raises(TypeError):
        vars(deferred)
    with pytest.raises(TypeError, match="await"):
        dict(deferred)
    deferred.note = 1  # type: ignore[attr-defined]
    assert vars(deferred) == {"note": 1}
    assert vars(Answer()) == {"note": 1}
