"""Who speaks and listens: the registry of agencies."""
