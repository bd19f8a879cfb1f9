"""Starting the real processes, and talking to them the way a vendor, a buyer, an operator and Stripe do."""
