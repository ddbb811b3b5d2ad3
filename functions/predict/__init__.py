"""The predict function: answers prediction requests with the bundle packed beside it."""
