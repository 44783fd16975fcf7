"""The policies that are compared: the project's own, and simple ones beside it."""
