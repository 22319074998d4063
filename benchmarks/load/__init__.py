"""Load: wrk with its scripts, steady streams, a rush of customers, and the files of requests that they send."""
