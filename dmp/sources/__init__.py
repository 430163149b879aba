"""Sources: a declaration says what a file holds, the importer streams it into the store."""
