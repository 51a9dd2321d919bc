"""Running a design: the accelerator, transfers in flight, programs of several chains, pools of engines."""
