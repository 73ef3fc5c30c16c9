"""Who may follow what: identity, grants, revocations, limits."""
