"""Where bytes go: one small interface, one module per kind of place, decorators around it."""
