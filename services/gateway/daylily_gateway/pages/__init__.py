"""The web page: rendered on the server, alive by the event stream, usable without scripts."""
