"""Decides what may leave: pure, explainable, replayable. Nothing here reads a clock, a file or a socket.

The public face: :func:`decide`, :func:`release`, :func:`label`, :func:`items_of`, :func:`read_policy`,
and the values of :mod:`consent.model`.
"""
