"""What is printed: pages that need no other file."""
