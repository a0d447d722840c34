"""The commands that train, optimize and evaluate. May import every sub-package of train; none imports it."""
