"""Use cases: what state does, over the domain's decisions and the store port.

- `queries`, `worksets`, `pools`, `records`: the commands and queries that the contract names;
- `deciding`: load, decide, commit, and again if somebody else was first;
- `feed`: the event feed of this replica, and those who watch it;
- `reaper`, `counting`, `dependencies`, `promoter`: what state does by itself.
"""
