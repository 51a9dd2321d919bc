"""QKeras networks that the engine can run, and what they are made of."""
