"""The history of users and groups: recording their changes, and showing them."""
