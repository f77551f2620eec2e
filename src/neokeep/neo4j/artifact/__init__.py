"""Neo4j's own archive files, `.dump` and `.backup`: reading and writing them as streams, without Neo4j."""
