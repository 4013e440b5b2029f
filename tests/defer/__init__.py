"""Tests of the room ``twistlike._defer``."""
