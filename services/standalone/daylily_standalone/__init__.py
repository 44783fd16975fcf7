"""The whole control plane in one process, for one machine."""
