"""Nothing acknowledged is lost or doubled: servers killed, cut off and out of room under load."""
