"""What the scheduler's policy is worth: an event-driven simulator, simple policies beside it, and a
lower bound that none of them can beat. See README.md.
"""
