"""What the edge promises: bodies, errors, headers, limits, keys, one transaction."""
