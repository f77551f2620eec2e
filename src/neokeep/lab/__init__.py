"""Real Neo4j servers for tests, demo and rehearsals: fetch, start, load, stop."""
