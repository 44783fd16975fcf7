"""How fast the services are on this machine: `make bench`."""
