"""What each Keras layer becomes: the nodes of one call of it (docs/hls4ml.md has the table)."""
