"""From an image as acquired to the grid the networks work on."""

import os

# Before ants is imported. With more threads ITK's sums depend on their number and timing: equal
# runs differed by up to 0.07 mm on a 3 mm image; with one they agree to the last bit.
os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")
