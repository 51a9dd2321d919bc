"""The host side: formats, golden model, driver and command line; numpy and nothing heavier."""
