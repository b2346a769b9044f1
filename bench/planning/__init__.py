"""What is to be run: suites, cells and the plan."""
