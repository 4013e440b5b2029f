"""Tests of the room ``twistlike._reactor``."""
