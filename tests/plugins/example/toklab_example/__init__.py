"""An example of a package that extends toklab through entry points."""
