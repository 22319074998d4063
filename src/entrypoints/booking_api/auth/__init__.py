"""Bearer tokens: the issuer's keys, the form of a token, its verification. May import no other package of ours."""
