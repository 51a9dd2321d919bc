"""Dense and sparse products on this CPU beside the engine; imports nothing, as `baseline` sets threads before NumPy."""
