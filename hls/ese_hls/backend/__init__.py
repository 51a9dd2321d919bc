"""The hls4ml backend "ESE": registration, passes, writer, and emission of a saved model."""
