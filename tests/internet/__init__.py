"""Tests of ``twistlike.internet``."""
