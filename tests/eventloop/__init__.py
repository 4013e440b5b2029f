"""Tests of the room ``twistlike._eventloop``."""
