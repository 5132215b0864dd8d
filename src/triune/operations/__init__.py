"""What Triune does: gather, decide, record, act."""
