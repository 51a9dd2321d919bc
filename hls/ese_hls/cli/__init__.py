"""The commands `ese4ml emit`, `build` and `pack`."""
