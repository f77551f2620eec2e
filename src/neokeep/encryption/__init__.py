"""Encryption of a repository: its keys, who holds them, and how names, objects and contents are sealed."""
