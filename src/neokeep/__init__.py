"""neokeep: backup and restore for Neo4j.

The Python API is `neokeep.api`; its functions return the values of `neokeep.reports` and raise `neokeep.errors`.
"""

from neokeep.version import __version__

__all__ = ["__version__"]
