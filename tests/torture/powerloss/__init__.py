"""Power cuts: a recorded server, images of its disk at any moment, a start on each, and what had been promised."""
