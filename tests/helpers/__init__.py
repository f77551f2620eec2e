"""Builders of synthetic databases, storages that misbehave, and processes that are killed."""
