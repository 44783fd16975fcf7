"""Helpers that several tests share: real engines, real tools, free ports."""
