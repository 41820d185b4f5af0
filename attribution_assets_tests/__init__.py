"""The contract, one behaviour per test; mirrors the package."""
