"""The unit of work and its repositories: everything that locks or changes rows. May import the driver."""
