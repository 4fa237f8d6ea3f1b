"""Use cases, one file per noun; one public method is one transaction; returns frozen views."""
