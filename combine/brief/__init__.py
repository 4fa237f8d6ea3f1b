"""What a person wrote: blocks, sentences, language."""
