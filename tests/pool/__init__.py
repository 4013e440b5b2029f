"""Tests of the room ``twistlike._pool``."""
