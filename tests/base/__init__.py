"""Tests of the room ``twistlike._base``."""
