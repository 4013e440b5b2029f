"""Twisted's own suites, and those of its clients, on plain Twisted and over it on twistlike."""
