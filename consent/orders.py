"""Orders of a court, the procuracy or investigators: when one counts, and what it names (rules R22, R24, R28)."""

from __future__ import annotations

from datetime import datetime

from consent.model import Item, Order, OrderItem, Party
from consent.moments import day_in
from consent.vocabulary import DataClass


def order_fault(order: Order, at: datetime, zone: str) -> str:
    """Why an order does not count at `at`: a reason code, or "" when it does; its date is a day in `zone`."""
    if not (order.number and order.body and order.issued and order.items):
        return "R22-order-incomplete"
    if order.outside_jurisdiction or order.revoked or not order.span.holds(at) or order.issued > day_in(at, zone):
        return "R24-order-not-valid"
    second = order.verified_by and order.verified_by != order.entered_by
    if not second and not order.verified_by.startswith("signature:"):
        return "R22-order-not-verified"
    return ""


def order_names(wanted: OrderItem, data_class: DataClass, item: Item, recipient: Party, zone: str) -> bool:
    """Whether one line of an order names this item for this recipient; what the line leaves out does not narrow,
    except class and recipient, without which it names nothing."""
    bounded = wanted.period.start is not None or wanted.period.end is not None
    return (
        wanted.data_class is data_class
        and wanted.recipient != ""
        and wanted.recipient == recipient.id
        and (not wanted.officer or wanted.officer == recipient.officer)
        and (not wanted.codes or not set(wanted.codes).isdisjoint(item.codes))
        and (not wanted.episode or wanted.episode == item.episode)
        and (not bounded or _dated_within(wanted, item, zone))
    )


def _dated_within(wanted: OrderItem, item: Item, zone: str) -> bool:
    if item.at is None:
        return False
    if isinstance(item.at, datetime):
        return wanted.period.holds(item.at)
    start, end = wanted.period.start, wanted.period.end
    return (start is None or day_in(start, zone) <= item.at) and (end is None or item.at < day_in(end, zone))
