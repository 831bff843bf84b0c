"""Who is calling, and what they may read and write."""
