"""Tests of what learns: features, the blend, its exact reasons, the gate, the artifacts."""
