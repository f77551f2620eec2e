"""A graph as tables: Parquet, CSV that Neo4j imports, JSON lines, and SQL over it. Arrow columns, batch by batch."""
