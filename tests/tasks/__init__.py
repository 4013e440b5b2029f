"""Tests of the room ``twistlike._tasks``."""
