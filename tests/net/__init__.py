"""Tests of ``twistlike._net``: protocols, and what takes streams apart."""
