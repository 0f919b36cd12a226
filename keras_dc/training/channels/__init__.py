"""What layers do with channels."""
