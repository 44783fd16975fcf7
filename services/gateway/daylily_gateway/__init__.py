"""REST and a web page in front of the Daylily services: a client of theirs, with no rules of its own."""
