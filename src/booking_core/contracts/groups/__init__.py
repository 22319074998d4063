"""The conformance suites of groups of reservations. Import what the suites of a store do, and their fixture."""
