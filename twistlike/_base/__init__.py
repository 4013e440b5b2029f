"""What knows nothing of the rest: errors, interfaces, addresses, failures, context, names."""

__all__: list[str] = []
