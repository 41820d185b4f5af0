"""How the web application's own file got its tables."""
