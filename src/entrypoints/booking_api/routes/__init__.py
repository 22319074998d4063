"""The routes: parse, call a use case, render. May import the other packages of the API."""
