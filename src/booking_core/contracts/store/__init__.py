"""The conformance suites of a store. Import the domain, the ports, the messages and the use cases."""
