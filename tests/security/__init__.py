"""What strangers, leaked keys and hostile bodies may not do."""
