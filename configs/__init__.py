"""What a user may set, and every default value."""
