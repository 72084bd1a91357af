"""Tests of what would be the same in a product without leads."""
