"""The commands data, train, compress, dsd, report, sensitivity and study."""
