"""A chain of backups seen as a store: files on demand, the log applied, without unpacking all of it."""
