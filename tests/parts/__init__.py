"""Tests of ``twistlike.parts``."""
