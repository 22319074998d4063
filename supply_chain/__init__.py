"""What `make audit` looks at: the packages that this project stands on, and what is known of them."""
