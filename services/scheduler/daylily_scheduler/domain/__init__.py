"""The policy: which workset next, where, and why. Pure: the standard library alone, no clock."""
