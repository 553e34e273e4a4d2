"""How fast the portal is, measured against floors taken in the same minute. See `workloads`.

Each measurement is a process of its own (`python -m portal.benchmark`), on a database of its own.
"""
