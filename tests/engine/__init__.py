"""Tests of what can be computed from its arguments."""
