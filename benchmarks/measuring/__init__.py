"""What a scenario is, how its runs are taken and reported, and what processes use meanwhile."""
