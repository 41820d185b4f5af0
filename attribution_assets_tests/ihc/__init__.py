"""The contract of the IHC model and its parameters."""
