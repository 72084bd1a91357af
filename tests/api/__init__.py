"""The contract's chapters on the wire and for plain scripts, each sentence tried."""
