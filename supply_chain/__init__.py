"""The checks of `make audit`: licences, releases and known vulnerabilities of the dependencies."""
