"""A private mongod for machines without a MongoDB: finds it, starts it, and stops it after its last user."""
