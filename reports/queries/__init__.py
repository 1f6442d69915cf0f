"""What the business sold, how it compares, and whether everything runs."""
