"""The contract of the attribution models beside IHC, and of the rules by which journeys are simplified."""
