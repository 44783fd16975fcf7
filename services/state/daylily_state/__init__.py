"""The state service: the only owner of workset data."""
