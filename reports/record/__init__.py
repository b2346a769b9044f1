"""The result record: a run's figures, and what they rest on, in one file that travels without the videos."""
