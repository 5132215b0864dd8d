"""What tests of projects and of adapters are written with."""
