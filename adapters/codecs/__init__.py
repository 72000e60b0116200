"""Codecs: bytes to one tree with positions, and back. Syntax only; what anything means is a pack's matter."""
