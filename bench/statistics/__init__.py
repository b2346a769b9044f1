"""Pure functions on arrays: intervals, paired differences, ranks, medians, figures of counts."""
