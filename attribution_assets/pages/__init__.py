"""What people see of the reports: which pages there are, and how they become HTML, workbooks and CSV; no server."""
