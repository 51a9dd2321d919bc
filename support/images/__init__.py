"""Images of random networks, and what the second decoder reads from them."""
