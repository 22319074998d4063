"""Every adapter of ours keeps the contracts that others must keep."""

from booking_core.contracts import EVENT_BUS_CONTRACTS, STORE_CONTRACTS

globals().update({f"Test{suite.__name__}": suite for suite in (*STORE_CONTRACTS, *EVENT_BUS_CONTRACTS)})
