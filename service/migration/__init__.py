"""Moving in: readers of other systems' files, and the engine that plans and applies what they yield."""
