"""What the scanner saw: reading, checking, preparing, storing."""
