"""Whether the graph in a store is whole: every reference, chain, count and value of its records."""
