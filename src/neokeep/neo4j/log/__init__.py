"""Transaction logs and checkpoint files."""
