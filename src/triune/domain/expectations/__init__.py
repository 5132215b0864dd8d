"""What data must look like, in Great Expectations' words: suites, and what came of them."""
