"""Language models: one protocol, its providers, the retry loop and prices."""
