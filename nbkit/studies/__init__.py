"""A room for each page of the book: its experiment, its findings and its own figures. Only the book knows it."""
