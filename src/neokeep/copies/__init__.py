"""Several repositories that hold the same backups: copying between them, healing one from another, falling over."""
