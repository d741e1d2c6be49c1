"""`msys.gcm`: what the errors of Google's push gateway mean. Pure."""

from __future__ import annotations

from msys.arguments import check_number, check_string
from msys.catalog.binding import documented
from msys.constants import DELIVERY_PERMFAILED, DELIVERY_SUCCESS, DELIVERY_TEMPFAILED

GCM_NO_ERROR = 0
GCM_UNAVAILABLE = 1
GCM_MISSING_REGISTRATION = 2
GCM_INVALID_REGISTRATION = 3
GCM_MISMATCH_SENDER_ID = 4
GCM_NOT_REGISTERED = 5
GCM_MESSAGE_TOO_BIG = 6
GCM_INVALID_DATA_KEY = 7
GCM_INVALID_TTL = 8
GCM_INTERNAL_SERVER_ERROR = 9
GCM_INVALID_PACKAGE_NAME = 10
GCM_UNKNOWN = 11
GCM_UNKNOW = GCM_UNKNOWN  # how Momentum's Lua spells it

__all__ = [
    "GCM_INTERNAL_SERVER_ERROR",
    "GCM_INVALID_DATA_KEY",
    "GCM_INVALID_PACKAGE_NAME",
    "GCM_INVALID_REGISTRATION",
    "GCM_INVALID_TTL",
    "GCM_MESSAGE_TOO_BIG",
    "GCM_MISMATCH_SENDER_ID",
    "GCM_MISSING_REGISTRATION",
    "GCM_NOT_REGISTERED",
    "GCM_NO_ERROR",
    "GCM_UNAVAILABLE",
    "GCM_UNKNOW",
    "GCM_UNKNOWN",
    "gcm_classify_error",
    "gcm_get_result_error_code",
]

BY_NAME = {
    "": GCM_NO_ERROR,
    "Unavailable": GCM_UNAVAILABLE,
    "MissingRegistration": GCM_MISSING_REGISTRATION,
    "InvalidRegistration": GCM_INVALID_REGISTRATION,
    "MismatchSenderId": GCM_MISMATCH_SENDER_ID,
    "NotRegistered": GCM_NOT_REGISTERED,
    "MessageTooBig": GCM_MESSAGE_TOO_BIG,
    "InvalidDataKey": GCM_INVALID_DATA_KEY,
    "InvalidTtl": GCM_INVALID_TTL,
    "InternalServerError": GCM_INTERNAL_SERVER_ERROR,
    "InvalidPackageName": GCM_INVALID_PACKAGE_NAME,
}
OUTCOME = {
    GCM_NO_ERROR: DELIVERY_SUCCESS,
    GCM_UNAVAILABLE: DELIVERY_TEMPFAILED,
    GCM_INTERNAL_SERVER_ERROR: DELIVERY_TEMPFAILED,
    GCM_UNKNOWN: DELIVERY_TEMPFAILED,
}  # every other known code is permanent


@documented("msys.gcm.gcm_classify_error", assumed="an unknown status is a temporary failure")
def gcm_classify_error(status: float) -> int:
    """`DELIVERY_SUCCESS`, `DELIVERY_TEMPFAILED` or `DELIVERY_PERMFAILED` for a `GCM_…` code.

    Source: lua.ref.msys.gcm.gcm_classify_error.
    """
    code = check_number("gcm_classify_error", 1, status)
    known = code in BY_NAME.values()
    return OUTCOME.get(int(code), DELIVERY_PERMFAILED) if known else DELIVERY_TEMPFAILED


@documented(
    "msys.gcm.gcm_get_result_error_code",
    assumed="nil and the empty string are no error; unknown is 11",
)
def gcm_get_result_error_code(error: str | None) -> int:
    """The `GCM_…` code of an error word in Google's JSON answer; nil is `GCM_NO_ERROR`.

    Source: lua.ref.msys.gcm.gcm_get_result_error_code.
    """
    if error is None:
        return GCM_NO_ERROR
    return BY_NAME.get(check_string("gcm_get_result_error_code", 1, error), GCM_UNKNOWN)
