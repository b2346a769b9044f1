"""An example of a package that adds a tokenizer, a card, a metric, a dataset and a report format to toklab."""
