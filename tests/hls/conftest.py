"""Its presence puts this folder on the path: `vendor_tcl` serves the tests of two rooms."""
