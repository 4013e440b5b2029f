"""What needs a reactor by its interface: `LoopingCall`, cooperation, `react`, testing."""

__all__: list[str] = []
