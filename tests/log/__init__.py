"""Tests of the room ``twistlike._log``."""
