"""What follows: everything that happens because something happened."""
