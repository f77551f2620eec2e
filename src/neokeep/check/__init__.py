"""`check`: everything that a backup will need, tried for real."""
