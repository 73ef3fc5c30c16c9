"""Events: their frames on the wire, and the log that keeps them."""
