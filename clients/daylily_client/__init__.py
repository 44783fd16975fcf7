"""Typed client, lock keeper and command line of the Daylily control plane."""
