"""RTKit: real-time priority on a desktop, for users whose limits allow none.

The service on the system's D-Bus gives a thread a small priority, once its process has limited
the time that such a thread may run without a pause.
"""

from __future__ import annotations

import resource

from jeepney import DBusAddress, DBusErrorResponse, Properties, new_method_call
from jeepney.auth import AuthenticationError
from jeepney.io.blocking import open_dbus_connection
from jeepney.wrappers import unwrap_msg

RTKIT = DBusAddress(
    "/org/freedesktop/RealtimeKit1",
    bus_name="org.freedesktop.RealtimeKit1",
    interface="org.freedesktop.RealtimeKit1",
)
TIMEOUT_S = 2.0  # D-Bus may have to start the service first
# No bus, no service, a refusal, no answer.
_ABSENT = (OSError, DBusErrorResponse, AuthenticationError, RuntimeError, LookupError, ValueError)


def highest() -> int:
    """Return the highest priority that RTKit gives, 0 if it is not there."""
    try:
        with open_dbus_connection(bus="SYSTEM") as bus:
            asked = Properties(RTKIT).get("MaxRealtimePriority")
            answer = unwrap_msg(bus.send_and_get_reply(asked, timeout=TIMEOUT_S))
            return max(0, int(answer[0][1]))
    except _ABSENT:
        return 0


def raise_thread(thread: int, priority: int) -> bool:
    """Have a thread of this process given a real-time priority, or the highest below that one.

    From then on a thread that has one gets ``SIGXCPU`` when it has run for half of RTKit's limit
    (0.2 s) without a pause. At the limit the system ends the process, so the caller handles that
    signal before: see `sfa_engine.host.realtime.Priority`.
    """
    try:
        with open_dbus_connection(bus="SYSTEM") as bus:
            asked = Properties(RTKIT).get_all()
            said = unwrap_msg(bus.send_and_get_reply(asked, timeout=TIMEOUT_S))[0]
            limit_us = int(said["RTTimeUSecMax"][1])
            resource.setrlimit(resource.RLIMIT_RTTIME, (limit_us // 2, limit_us))
            given = min(priority, int(said["MaxRealtimePriority"][1]))
            call = new_method_call(RTKIT, "MakeThreadRealtime", "tu", (thread, given))
            unwrap_msg(bus.send_and_get_reply(call, timeout=TIMEOUT_S))
    except _ABSENT:
        return False
    return True
