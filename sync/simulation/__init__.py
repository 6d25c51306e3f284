"""What other routing rules would have done with the orders of the past; changes nothing."""
