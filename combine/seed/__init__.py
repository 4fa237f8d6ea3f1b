"""Data the product ships: workflows, prompts, schemas."""
