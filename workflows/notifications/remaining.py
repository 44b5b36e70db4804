"""What a message still has to tell when it goes out: what stands, and what somebody still wants told at its address."""

from collections.abc import Sequence

from workflows.models import Notice, Notification, NotificationRule
from workflows.notifications import recipients
from workflows.notifications.standing import standing


def remaining(message: Notification) -> tuple[list[Notice], str]:
    """Return what is left to tell, and because of whom.

    A message tells of what several rules and definitions want told: one of them that is muted, or switched off, takes
    nothing from the others.
    """
    notices = list(Notice.objects.filter(items__notification=message.pk).order_by("pk"))
    kept = standing(notices)
    wanted = _wanted(message, [notice for notice in notices if notice.pk in kept])
    return [notice for notice in notices if notice.pk in wanted], next(iter(wanted.values()), "")


def _wanted(message: Notification, notices: Sequence[Notice]) -> dict[int, str]:
    """Return which notices are wanted at the address, and because of whom.

    Where no rule and no definition names the address any more, the message keeps the one that it was made for.
    """
    rules = list(NotificationRule.objects.select_related("connection"))
    active = {None, *(rule.pk for rule in recipients.active_rules())}
    found = {}
    for pk, named in recipients.named(notices, rules).items():
        here = [one for one in named if one.key == recipients.key(message.channel, message.address)]
        asking = [one for one in here if one.rule in active]
        if asking:
            found[pk] = asking[0].because
        elif not here and message.rule_id in active:
            found[pk] = message.because
    return found
