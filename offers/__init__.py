"""What is given: offers, and the courses inside them."""
