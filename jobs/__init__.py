"""What runs by the clock, and who reacts to what happened."""
