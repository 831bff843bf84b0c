"""How documents are found and kept valid: indexes, validators and views, each declared once."""
