"""The rule of admission control, request by request."""

import pytest
from attrs import define, field

from booking_server.gateway.admission_control import AdmissionControl, Client, ControlLimits

STANDING = 0.1
ANN, BOB = Client("ann", "10.0.0.1:1"), Client("bob", "10.0.0.2:1")


@define
class Steady:
    """A control that has seen 100 requests complete each second."""

    limits: ControlLimits = field(factory=ControlLimits)
    control: AdmissionControl = field(init=False)
    now: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.control = AdmissionControl(self.limits)
        self.serve(100, arrivals=0)

    def serve(self, completions: int, *, arrivals: int, ahead: int = 1, client: Client | None = None) -> None:
        """So many completions, 0.01 s apart, and arrivals beside them."""
        for number in range(completions):
            self.now += 0.01
            for each in range(arrivals * number // completions, arrivals * (number + 1) // completions):
                self.admits(ahead, client or Client(f"{self.now}-{each}", ""))
            self.control.completed(self.now, are_others_queued=True)

    def admits(self, ahead: int, client: Client = ANN, oldest: float = STANDING) -> bool:
        is_admitted = self.control.admits(self.now, ahead=ahead, oldest=oldest, client=client)
        if not is_admitted:
            self.control.rejected(self.now, client)
        return is_admitted


def test_a_request_with_a_long_estimated_wait_is_rejected() -> None:
    steady = Steady()

    assert [steady.admits(ahead, Client(str(ahead), "")) for ahead in (39, 41)] == [True, False]


def test_a_queue_that_is_young_admits_a_burst() -> None:
    assert Steady().admits(1000, oldest=0.04)


@pytest.mark.parametrize(
    ("client", "after", "is_retry"),
    [
        (Client("ann", "10.0.0.9:9"), 0.9, True),
        (Client("ann", "10.0.0.9:9"), 1.1, False),
        (Client("eve", "10.0.0.1:1"), 0.04, True),
        (Client("eve", "10.0.0.1:1"), 0.06, False),
        (BOB, 0.04, False),
    ],
)
def test_a_retry_is_queued_however_long_the_wait(client: Client, after: float, *, is_retry: bool) -> None:
    steady = Steady()
    assert not steady.admits(100, ANN)
    steady.now += after

    assert steady.admits(100, client) is is_retry


def test_an_empty_token_or_connection_recognises_no_retry() -> None:
    steady = Steady()
    for _ in range(2):
        assert not steady.admits(100, Client("", ""))


def test_two_overloaded_windows_start_overload_mode() -> None:
    steady = Steady()
    modes = []
    for completions in (50, 102):
        steady.serve(completions, arrivals=completions * 7 // 5)
        modes.append(steady.control.is_overloaded)

    assert modes == [False, True]
    assert [steady.admits(ahead, Client(str(ahead), "")) for ahead in (19, 21)] == [True, False]


def test_with_rejections_overload_is_twice_as_many_arrivals() -> None:
    steady = Steady()
    for _ in range(6):
        assert not steady.admits(100, Client(str(steady.now), ""))
        steady.serve(50, arrivals=70)

    assert not steady.control.is_overloaded


def test_one_overloaded_window_starts_nothing() -> None:
    steady = Steady()
    for _ in range(3):
        steady.serve(50, arrivals=200)
        steady.serve(50, arrivals=0)

    assert not steady.control.is_overloaded


def test_retries_are_no_arrivals() -> None:
    steady = Steady()
    for _ in range(4):
        steady.control.rejected(steady.now, ANN)
        steady.serve(50, arrivals=500, client=ANN)

    assert not steady.control.is_overloaded


def test_responses_to_followers_are_completions() -> None:
    steady = Steady()
    for _ in range(4):
        steady.serve(50, arrivals=500)
        steady.control.answered(steady.now, 450)

    assert not steady.control.is_overloaded


def overloaded() -> Steady:
    steady = Steady()
    while not steady.control.is_overloaded:
        steady.serve(10, arrivals=20)
    return steady


def test_overload_mode_ends_a_second_after_the_last_rejection() -> None:
    steady = overloaded()
    steady.serve(50, arrivals=50)
    assert not steady.admits(30, ANN)
    modes = []
    for completions in (90, 20):
        steady.serve(completions, arrivals=completions)
        modes.append(steady.control.is_overloaded)

    assert modes == [True, False]


def test_overload_mode_ends_after_two_seconds_of_rejections() -> None:
    """Clients that are not recognised would otherwise keep it on."""
    steady = overloaded()
    modes = []
    for completions in (180, 30):
        steady.serve(completions, arrivals=completions * 2, ahead=30)
        modes.append(steady.control.is_overloaded)

    assert modes == [True, False]


def test_the_oldest_rejected_client_is_forgotten_beyond_the_bound() -> None:
    steady = Steady(ControlLimits(remembered=4))
    for client in (ANN, BOB, Client("eve", "10.0.0.3:1")):
        assert not steady.admits(100, client)

    assert [steady.admits(100, each) for each in (BOB, ANN)] == [True, False]


def test_rejected_clients_are_forgotten_after_a_second() -> None:
    steady = Steady()
    for number in range(100):
        steady.control.rejected(steady.now, Client(f"t{number}", f"c{number}"))
    steady.serve(300, arrivals=10)

    assert steady.control._rejected == {}
