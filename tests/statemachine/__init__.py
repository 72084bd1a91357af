"""Random walks through conversations, compared with a small model of the rules."""
