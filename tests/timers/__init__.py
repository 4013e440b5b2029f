"""Tests of the room ``twistlike._timers``."""
