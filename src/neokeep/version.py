"""The version of neokeep."""

__version__ = "0.1.0"
