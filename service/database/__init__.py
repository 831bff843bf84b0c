"""The only package that calls the driver; others use the Database of `client`. It loads no module by itself."""
