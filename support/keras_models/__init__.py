"""Keras models for tests: those that the plugin converts, and the topology of those that the project builds."""
