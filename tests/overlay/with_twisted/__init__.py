"""The overlay over an installed Twisted."""
