"""What leaves the house: how it looks to each vendor, and what each answer means to us."""
