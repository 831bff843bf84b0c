"""A server of the Model Context Protocol: what an assistant may read, through the HTTP API and under a user's key."""
