"""One command a file; `study` walks the whole line."""
