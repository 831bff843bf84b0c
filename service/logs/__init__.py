"""What `modeldeck serve` logs: one line for each request and for whatever happens besides, on standard error."""
