"""What can be computed from its arguments: no I/O, no clock, no ORM."""
