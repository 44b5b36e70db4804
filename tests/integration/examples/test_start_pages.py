"""Each example can be started from its page with the values that the form proposes."""

from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from dotdo_site.demo import examples
from tests.integration.examples.conftest import World
from workflows.language import loader
from workflows.models import Run

NAMES = [loader.load(path.read_text())["document"]["name"] for path in examples.workflows()]


class Proposed(HTMLParser):
    """What a browser would send if somebody pressed the button at once."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.select = self.area = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "input" and "name" in given and given.get("type") not in {"checkbox", "radio"}:
            self.fields[given["name"]] = given.get("value", "")
        elif tag == "textarea":
            self.area = given["name"]
            self.fields[self.area] = ""
        elif tag == "select":
            self.select = given.get("name", "")
        elif tag == "option" and "selected" in given and self.select:
            self.fields[self.select] = given["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.area = ""

    def handle_data(self, data: str) -> None:
        if self.area:
            self.fields[self.area] += data


@pytest.mark.parametrize("name", NAMES)
def test_an_example_starts_from_its_page_as_the_form_proposes_it(world: World, name: str) -> None:
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("admin"), backend="django.contrib.auth.backends.ModelBackend")
    address = reverse("workflow-start", args=[name])
    fields = Proposed(client.get(address).content.decode()).fields
    answer = client.post(address, {**fields, "tab": "form", "do": "start"})
    assert answer.status_code in {302, 303}, answer.content.decode()
    world.settle()
    assert Run.objects.get(name=name).state in {"waiting", "succeeded"}
