"""What the language knows and this profile refuses, each with the reason or what to do instead."""

from collections.abc import Mapping

USE: Mapping[str, str] = {
    "catalogs": "Nothing is fetched: call the actions that are published here.",
    "extensions": "Write the tasks before and after where they belong.",
}

EVALUATE: Mapping[str, str] = {
    "language": "Leave it out: expressions are jq.",
    "mode": "Leave it out: only a whole text in `${ }` is an expression.",
}

CALLS: Mapping[str, str] = {
    "grpc": "Write a Python action and call it.",
    "asyncapi": "Write a Python action and call it.",
    "a2a": "Write a Python action and call it.",
    "mcp": "Write a Python action and call it.",
}

RUN: Mapping[str, str] = {
    "container": "A document cannot bring code with it. Write a Python action and call it.",
    "script": "A document cannot bring code with it. Write a Python action and call it.",
    "shell": "A document cannot bring code with it. Write a Python action and call it.",
    "return": "It is about processes; a workflow gives its output.",
}

AUTHENTICATION: Mapping[str, str] = {
    "digest": "Use `basic` or `bearer`.",
    "oauth2": "Get a token with a call, and send it as `bearer`.",
    "oidc": "Get a token with a call, and send it as `bearer`.",
}

SCHEMA: Mapping[str, str] = {"resource": "Write the schema out under `document`: nothing is fetched."}
