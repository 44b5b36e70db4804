"""Real processes: the housekeeper of a cluster sends, and one that is killed while it sends leaves it to the next."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.integration.actions.post import Post
from tests.integration.actions.web import Web
from tests.integration.notifications.steps import REFUSED, deliver, later, states
from tests.support.cluster import ROOT, cluster, until
from tests.support.engine import begin, work_until_idle
from workflows.models import Notification, NotificationRule
from workflows.notifications import chores, sending

Make = Callable[..., NotificationRule]
SEND = "import django; django.setup(); from workflows.notifications import chores; chores.send()"


def test_the_housekeeper_of_a_cluster_sends_by_itself(mailbox: Post, rule: Make, tmp_path: Path) -> None:
    rule()
    place = {
        "DOTDO_SMTP_HOST": "127.0.0.1",
        "DOTDO_SMTP_PORT": str(mailbox.port),
        "DOTDO_OUTGOING_ALLOW": f"127.0.0.1:{mailbox.port}",
        "DOTDO_MAIL_FROM": "dotdo@example.com",
        "DOTDO_PUBLIC_URL": "https://dotdo.example.com",
    }
    with cluster(tmp_path / "log", **place):
        run = begin(REFUSED)
        until(lambda: mailbox.mails, 60, "a mail")
    assert str(run) in mailbox.mails[0].get_content()
    assert len(mailbox.mails) == 1


def test_a_sender_that_is_killed_after_the_receiver_has_it_leaves_it_to_be_sent_again(server: Web, rule: Make) -> None:
    rule(webhook=server.url("/silence"))
    begin(REFUSED)
    work_until_idle()
    allowed = {"DOTDO_OUTGOING_ALLOW": urlsplit(server.url()).netloc, "DJANGO_SETTINGS_MODULE": "dotdo_site.settings"}
    sender = subprocess.Popen([sys.executable, "-c", SEND], env=os.environ | allowed, cwd=ROOT)
    until(lambda: server.requests, 60, "the request")
    sender.send_signal(signal.SIGKILL)
    sender.wait()
    assert (states(), Notification.objects.get().attempts) == (["waiting"], 1)
    Notification.objects.update(address=server.url("/hook"))
    chores.send()
    assert len(server.requests) == 1  # it is still claimed
    later(sending.LEASE_SECONDS)
    chores.send()
    first, second = server.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert states() == ["sent"]


def test_a_slow_receiver_keeps_no_other_message_waiting(mailbox: Post, server: Web, rule: Make) -> None:
    rule(webhook=server.url("/silence"))
    rule()
    begin(REFUSED)
    work_until_idle()
    sender = threading.Thread(target=deliver)
    sender.start()
    until(lambda: mailbox.mails and server.requests, 60, "the mail")
    assert sorted(states()) != ["sent", "sent"]  # the other one is still asked
    sender.join()
