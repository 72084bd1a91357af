"""Relays, schedules, jobs."""
