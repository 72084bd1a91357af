"""Tests of the house itself: who may import what, and what is really needed."""
