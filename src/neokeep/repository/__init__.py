"""Where backups live: blocks, packs, index, manifests."""
