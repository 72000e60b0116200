"""Measures the hub beside its peers, in one run on one machine: ``make bench`` writes docs/performance.md.

No time is asserted anywhere in the tests; what counts are ratios within one run.
"""
