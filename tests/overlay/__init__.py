"""Tests of `twistlike.overlay`."""
