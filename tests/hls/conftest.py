"""Its presence puts this folder on the path, for what serves the tests of more than one folder."""
