"""Proving that a store is whole in one reading of it, by compiled code: what cannot be proven is looked up."""
