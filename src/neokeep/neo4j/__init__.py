"""All that knows Neo4j: distributions, servers, configuration, locks, versions, files."""
