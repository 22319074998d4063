"""The conformance suites of an event bus. Import the ports alone."""
