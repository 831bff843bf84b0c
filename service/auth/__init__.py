"""Authentication, and the access rule: who is calling, and what they may read and write."""
