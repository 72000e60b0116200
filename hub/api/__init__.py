"""The HTTP door: agencies say and fetch, administrators record and look, operators watch."""
