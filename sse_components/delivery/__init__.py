"""From the log to the sockets: connections, feeds, fan-out, the response."""
