"""What is sent to the service during a fault, and how its answers are compared with what is stored."""
