"""Whether a pack keeps the law: messages made from the pack itself, and the six parts of the law held against them."""
