"""Tests of the room ``twistlike._wakeup``."""
