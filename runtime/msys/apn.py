"""`msys.apn`: what the status codes of Apple's push gateway mean. Pure."""

from __future__ import annotations

from msys.arguments import check_number
from msys.catalog.binding import documented
from msys.constants import DELIVERY_PERMFAILED, DELIVERY_SUCCESS, DELIVERY_TEMPFAILED

APNS_NO_ERROR = 0
APNS_PROCESSING_ERROR = 1
APNS_MISSING_DEVICE_TOKEN = 2
APNS_MISSING_TOPIC = 3
APNS_MISSING_PAYLOAD = 4
APNS_INVALID_TOKEN_SIZE = 5
APNS_INVALID_TOPIC_SIZE = 6
APNS_INVALID_PAYLOAD_SIZE = 7
APNS_INVALID_TOKEN = 8
APNS_SHUTDOWN = 10

__all__ = [
    "APNS_INVALID_PAYLOAD_SIZE",
    "APNS_INVALID_TOKEN",
    "APNS_INVALID_TOKEN_SIZE",
    "APNS_INVALID_TOPIC_SIZE",
    "APNS_MISSING_DEVICE_TOKEN",
    "APNS_MISSING_PAYLOAD",
    "APNS_MISSING_TOPIC",
    "APNS_NO_ERROR",
    "APNS_PROCESSING_ERROR",
    "APNS_SHUTDOWN",
    "apn_status_classifier",
]

PERMANENT = range(APNS_MISSING_DEVICE_TOKEN, APNS_INVALID_TOKEN + 1)


@documented(
    "msys.apn.apn_status_classifier",
    assumed="nil is success, an unknown status a temporary failure",
)
def apn_status_classifier(status: float | None) -> int:
    """`DELIVERY_SUCCESS`, `DELIVERY_TEMPFAILED` or `DELIVERY_PERMFAILED` for a status; nil is success.

    Source: lua.ref.msys.apn.apn_status_classifier.
    """
    if status is None:
        return DELIVERY_SUCCESS
    code = check_number("apn_status_classifier", 1, status)
    if code == APNS_NO_ERROR:
        return DELIVERY_SUCCESS
    return DELIVERY_PERMFAILED if code in PERMANENT else DELIVERY_TEMPFAILED
