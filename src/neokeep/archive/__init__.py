"""Continuous archiving: following the transaction logs of running servers into a repository."""
