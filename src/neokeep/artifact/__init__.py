"""Archives of Neo4j's own, into servers and out of them."""
