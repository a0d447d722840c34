"""Photos, random crops, the photo cache, styles. Imports no sub-package of train; all but runtime may import it."""
