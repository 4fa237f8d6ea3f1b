"""From what is known to the text of a prompt, and from the text of a reply back to JSON."""
