"""What every request passes before its route: bounds on how many are answered at a time, and on the time of each."""
