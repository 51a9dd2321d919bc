"""From the mapped graph to a program of integers: chains for the engine, exact steps for the host."""
