"""Django's commands of ours."""
