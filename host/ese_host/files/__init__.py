"""Files that somebody else may have made, read within bounds, and files of ours, written whole or not at all."""
