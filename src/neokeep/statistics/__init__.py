"""What is in a graph: labels, types, patterns, properties, degrees, and how full its record stores are."""
