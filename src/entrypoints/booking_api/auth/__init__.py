"""Bearer tokens: keys of the issuer, verification, the guard of a route. May import booking_api.http."""
