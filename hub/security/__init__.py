"""Keys, tokens and signatures: who is speaking, and what only the hub can read."""
