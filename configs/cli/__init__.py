"""The command line: overrides, validation, sweeps. May import schema and errors; train and export may import it."""
