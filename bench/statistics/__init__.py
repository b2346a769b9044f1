"""Pure functions on arrays: intervals and paired differences."""
