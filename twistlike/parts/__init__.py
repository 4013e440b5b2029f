"""The parts of a reactor, each of which can be tested alone with a fake loop."""

__all__: list[str] = []
