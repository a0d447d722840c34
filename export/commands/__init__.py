"""The commands that export and run models. May import every sub-package of export; none imports it."""
