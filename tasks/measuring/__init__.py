"""What tasks measure with."""
