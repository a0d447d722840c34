"""The page with a strip of styles: its files, as a folder or behind a local server. May import models and configs."""
