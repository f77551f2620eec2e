"""From a backup to a database directory: plan, write, recover, swap."""
