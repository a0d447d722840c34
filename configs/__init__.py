"""What a user may set, and every default value. Imports no other wing; models, train and export may import it."""
