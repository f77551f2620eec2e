"""The graph of what a user names, opened for reading: a stopped database, a backup, an archive."""
