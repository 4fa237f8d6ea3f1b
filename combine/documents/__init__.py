"""What is written: items, quotes, findings, questions, differences, rendering."""
