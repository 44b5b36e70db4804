"""The story itself: what is started, what is shown of it, and what must have happened.

Everything goes over the API; what happened outside is asked of the stand-ins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from audit.verify import verify
from dotdo_site.demo.story import screen
from dotdo_site.demo.story.api import Api, Json, Started, World
from dotdo_site.demo.story.screen import Screen
from dotdo_site.demo.story.watching import Watch, tasks_of

WORKFLOW = "customer-onboarding"
MAIL = "send-welcome-email"
CRM = "update-crm-record"


@dataclass
class Story:
    """Plays the scenes and remembers which promises were kept. `name` makes its keys and users its own."""

    api: Api
    world: World
    screen: Screen
    url: str
    name: str
    patience: float
    failures: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    def play(self) -> bool:
        """Play it all and return whether everything was as told. Raises Unexpected."""
        self.tasks = tasks_of(self.api.get(f"workflows/{WORKFLOW}")["document"])
        ada = self._person("Ada Lovelace", "ada", f"usr_{self.name}")
        first = self._onboard(ada)
        self._start_again(ada, first)
        self._repair(self._person("Alan Turing", "alan", f"usr_locked_{self.name}"))
        self._verify()
        return not self.failures

    def _onboard(self, person: Json) -> str:
        self.screen.heading(f"1  {person['name']} signs up: {WORKFLOW} on real input; the mail server says no twice")
        started = self._start(person)
        run_id = str(started.run["id"])
        self.runs.append(run_id)
        watch = self._watch()
        run = watch.until_rest(run_id, person["userId"])
        self._expect(run["state"] == "succeeded", "the run succeeded")
        retried = {step["name"]: step["attempt"] for step in run["steps"] if step["attempt"] > 1}
        self._expect(retried == {MAIL: 3}, f"only the e-mail was retried: {_counted(retried)}")
        mails = self.world.mails(person["email"])
        once = len(mails) == 1 and (mails[0]["refused"], mails[0]["received"]) == (2, 1)
        self._expect(once, "the mail server refused it twice, then took it: one mail, one Message-ID")
        self._expect_one_charge(person)
        path = " → ".join(watch.statuses)
        self._expect(watch.statuses == ["registered", "email_sent"], f"the datastore record went {path}")
        known = self.world.record(person["userId"])
        self._expect(known.get("status") == "customer", "the CRM knows the customer")
        self._show_audit(run_id)
        return run_id

    def _start_again(self, person: Json, run_id: str) -> None:
        self.screen.heading("2  The same request once more, with the same Idempotency-Key")
        again = self._start(person)
        same = again.replayed and str(again.run["id"]) == run_id
        self._expect(same, f"the same run came back (HTTP {again.status}, Idempotent-Replayed), nothing was started")
        self._expect_one_charge(person)
        other = self._start({**person, "name": "Somebody Else"}, key=person["userId"])
        refused = other.status == 422 and "run_id" in other.run
        self._expect(refused, f"the key with other input is refused: {other.run.get('detail', '')}")

    def _repair(self, person: Json) -> None:
        self.screen.heading(
            f"3  {person['name']} signs up, but the CRM refuses: his record is locked, patience cannot help"
        )
        run_id = str(self._start(person).run["id"])
        self.runs.append(run_id)
        watch = self._watch()
        run = watch.until_rest(run_id, person["userId"])
        self._expect(run["status"] == "dead_letter", f"it is a dead letter, with its reason: {run['now']}")
        before = self.world.charges(person["userId"])
        self.screen.say("  The lock is gone by now: the operator presses Retry (here: POST …/retries, with a reason).")
        self.api.retry(run_id, "the CRM import has ended")
        run = watch.until_rest(run_id, person["userId"])
        self._expect(run["state"] == "succeeded", "repaired: the run succeeded, from the failed step on")
        self._expect(self.world.charges(person["userId"]) == before, "nothing before it was done again")
        self._expect_one_charge(person)
        self._show_audit(run_id)

    def _verify(self) -> None:
        self.screen.heading("4  The audit trail")
        chains = {event["chain"] for run_id in self.runs for event in self._audit(run_id)}
        results = [verify(UUID(chain)) for chain in sorted(chains)]
        sound = bool(results) and not any(result.broken for result in results)
        events = sum(result.events for result in results)
        self._expect(
            sound, f"{events} events in {len(chains)} hash chains: every link fits (all: manage.py verify_audit)"
        )

    def _person(self, name: str, mailbox: str, user: str) -> Json:
        return {"userId": user, "name": name, "email": f"{mailbox}.{self.name}@example.com", "card": "tok_visa"}

    def _start(self, person: Json, key: str = "") -> Started:
        return self.api.start(
            WORKFLOW, person, key=f"demo-{key or person['userId']}", title=f"{person['name']} signs up"
        )

    def _watch(self) -> Watch:
        return Watch(self.api, self.screen, self.patience, self.tasks)

    def _expect(self, kept: bool, promise: str) -> None:
        if not kept:
            self.failures.append(promise)
        sign, colour = ("✓", screen.GREEN) if kept else ("✗ NOT SO:", screen.RED)
        self.screen.say(f"  {sign} {promise}", colour)

    def _expect_one_charge(self, person: Json) -> None:
        charges = self.world.charges(person["userId"])
        words = ", ".join(f"{charge['amount'] / 100:.2f} {charge['currency']}" for charge in charges) or "nothing"
        self._expect(len(charges) == 1, f"the card was charged once, says the payment service: {words}")

    def _audit(self, run_id: str) -> list[Json]:
        events: list[Json] = self.api.get(f"runs/{run_id}/audit?limit=200")["items"]
        return events

    def _show_audit(self, run_id: str) -> None:
        self.screen.say("  The audit trail says:", screen.BOLD)
        for event in self._audit(run_id):
            at = datetime.fromisoformat(event["at"]).astimezone()
            reason = f" — {event['reason']}" if event["reason"] else ""
            who = event["actor"].partition(":")[0]
            self.screen.say(f"    {at:%H:%M:%S}  {who:<6}  {event['sentence']}{reason}", screen.DIM)
        self.screen.say(f"  Look at it: {self.url}/runs/{run_id}/", screen.BLUE)


def _counted(attempts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} took {number} attempts" for name, number in attempts.items()) or "nothing was"
