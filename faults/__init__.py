"""Fault injection: whether the service keeps its promises while machines, networks and disks fail (`make faults`)."""
