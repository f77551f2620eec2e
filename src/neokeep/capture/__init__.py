"""Reading a database, running or stopped, into an image that is consistent after recovery."""
