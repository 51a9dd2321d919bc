"""The command line `ese4ml`."""
