"""How documents are found and guarded: named indexes, each with the query it serves."""
