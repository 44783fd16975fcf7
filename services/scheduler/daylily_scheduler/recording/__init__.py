"""Decisions with all that they depended on, kept in files, to be made again."""
