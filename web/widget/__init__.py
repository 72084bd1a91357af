"""Serves the built loader and chat, the plain-HTML chat, the demo page."""
