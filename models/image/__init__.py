"""Decode, encode and transform pictures without torch. May import configs; models, train and export may import it."""
