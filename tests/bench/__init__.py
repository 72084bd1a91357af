"""How fast it is, beside what it could be: measured in turns, in one run, on this machine."""
