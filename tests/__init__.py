"""The tests of twistlike: they mirror the package."""
