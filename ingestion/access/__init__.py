"""Access: does a connection's role let KCX in as it should, and no further? The ladder, and what follows."""
