"""The mathematics of the gate: arrays in, numbers out; seeds are arguments, and nothing is read."""
