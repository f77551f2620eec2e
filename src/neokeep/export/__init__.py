"""A graph as tables: Arrow columns, batch by batch."""
