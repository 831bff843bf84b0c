"""The routes of the compatibility API that the strict API does not have, or has in another form."""
