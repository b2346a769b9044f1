"""The scripts of the page, in plain JavaScript; they are put into the page one after another."""
