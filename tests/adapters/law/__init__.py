"""The law of packs (docs/packs.md): one suite for every pack, built-in or external."""
