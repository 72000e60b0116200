"""Wires: storage, messaging, API, command line around the line of :mod:`hub.exchange`."""
