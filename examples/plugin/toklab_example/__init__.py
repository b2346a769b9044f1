"""An example of a package that adds a tokenizer, cards, a metric and a dataset to toklab."""
