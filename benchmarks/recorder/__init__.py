"""The recorder: records what users see before and after a change, to show that nothing visible has changed."""
