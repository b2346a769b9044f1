"""What of others may run or be used: the code that cards name, and the files that were downloaded."""
