"""The JSON API, a file a chapter."""
