"""Other processes: a pool of them, and children that end with their parent."""
