"""A first draft of a pack from samples (and schemas) of a format that nobody here has seen: guesses, marked as such."""
