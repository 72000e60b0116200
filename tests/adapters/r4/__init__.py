"""What the R4 table and the validator promise."""
