"""What is kept beside a model and written about it: provenance, test set, storage, sensitivity, charts."""
