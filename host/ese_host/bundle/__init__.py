"""The design folder bitstreams/<design>: manifest, golden model, test set and provenance, each checked before use."""
