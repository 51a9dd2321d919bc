"""What several test folders share: random networks, and engines compiled for a design."""
