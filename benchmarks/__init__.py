"""Speed of manycore beside NumPy's, both measured in one run; see harness.py for the method."""
