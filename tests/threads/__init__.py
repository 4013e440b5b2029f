"""Tests of the room ``twistlike._threads``."""
