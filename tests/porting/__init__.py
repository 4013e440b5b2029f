"""Tests of `twistlike.porting`."""
