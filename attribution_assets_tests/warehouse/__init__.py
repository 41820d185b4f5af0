"""The contract of stored data: what is read, what a run replaces, and what stays when it fails."""
