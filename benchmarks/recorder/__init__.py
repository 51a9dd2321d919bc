"""The recorder: what users see, recorded before and after a change that should not be seen."""
