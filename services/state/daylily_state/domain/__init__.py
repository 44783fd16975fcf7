"""The rules of worksets: frozen records and pure functions of (thing, command, now).

Nothing in here does I/O, reads a clock, rolls dice or knows a store. `transitions` is the one table
of the state machine; every decision returns a `commit.Commit` that a store applies whole or not.
"""
