"""Generated requests against the description of the API."""
