"""What the fault tests run against: real mongods, a replica set, networks, and the service as a process."""
