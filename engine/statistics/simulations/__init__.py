"""Seeded simulations that show what the statistics promise, each beside the wrong way failing."""
