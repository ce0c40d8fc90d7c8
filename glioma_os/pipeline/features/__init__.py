"""What of the images reaches the heads: one file a feature source."""
