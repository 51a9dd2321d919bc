"""The commands `ese4ml emit`, `build`, `rebuild` and `pack`."""
