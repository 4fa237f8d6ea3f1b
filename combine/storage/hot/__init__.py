"""What runs for every step of every execution."""
