"""What moves bytes for a reactor that is known by its interface."""

__all__: list[str] = []
