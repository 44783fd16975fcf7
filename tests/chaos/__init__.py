"""The whole system under kills, pauses and failures, checked afterwards against its invariants.

`python -m tests.chaos` runs it; docs/chaos.md says how, and what is checked.
"""
