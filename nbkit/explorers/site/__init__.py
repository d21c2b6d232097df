"""The explorer of an atlas as a folder of its own, to be given away or put on any server."""
