"""Tests of ``twistlike.python``."""
