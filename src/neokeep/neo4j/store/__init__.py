"""The files of a database directory: layout, neostore, GBPTree, Lucene."""
