"""The web application: a Django project over the reports; its accounts, sessions, runs and cache have a file of their own."""
