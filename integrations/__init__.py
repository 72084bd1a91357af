"""What knows a vendor: plain data in, a narrow delivery error out."""
