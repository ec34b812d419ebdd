"""Matrix-product states and the ways to split and truncate them."""
