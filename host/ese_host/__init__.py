"""The host side: formats, golden model, driver and command line. It needs NumPy and nothing heavier."""
