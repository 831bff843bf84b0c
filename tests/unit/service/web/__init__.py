"""The parts of the page that need no database."""
