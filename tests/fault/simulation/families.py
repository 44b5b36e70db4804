"""Documents that start others, and those that they start."""

from tests.fault.simulation.sagas import BOOK, SAGA, SEND

CHILD = """
do:
  - book: {call: ledger, with: {n: "${ .n }"}}
  - pause: {wait: {seconds: 4}}
  - send: {call: outside, with: {n: "${ .n }"}}
"""
FAILING_CHILD = f"""
do:
  - book: {{{BOOK}}}
  - no: {{call: refuses}}
"""
RUN = """
do:
  - begin: {call: ledger, with: {n: 3}}
  - below: {run: {workflow: {namespace: t, name: child, version: 1.0.0, input: {n: "${ .n }"}}}}
  - note: {call: ledger, with: {n: "${ .n }"}}
"""
RUN_BESIDE = """
do:
  - both:
      fork:
        branches:
          - left: {run: {workflow: {namespace: t, name: child, version: 1.0.0, input: {n: 1}}}}
          - right: {run: {workflow: {namespace: t, name: parent, version: 1.0.0, input: {n: 2}}}}
"""
RUN_RACE = """
do:
  - first:
      fork:
        compete: true
        branches:
          - below: {run: {workflow: {namespace: t, name: parent, version: 1.0.0, input: {n: 3}}}}
          - pause: {do: [{pause: {wait: {seconds: 8}}}, {last: {set: {n: 0}}}]}
"""
RUN_TIMEOUT = """
do:
  - guarded:
      try:
        - block:
            timeout: {after: {seconds: 12}}
            do:
              - below: {run: {workflow: {namespace: t, name: child, version: 1.0.0, input: {n: 1}}}}
              - again: {run: {workflow: {namespace: t, name: parent, version: 1.0.0, input: {n: 2}}}}
      catch: {errors: {with: {status: 408}}, do: [{late: {set: {n: 0}}}]}
"""
# The timeout comes when the run is just being started.
RUN_TOO_LATE = """
do:
  - guarded:
      try:
        - block:
            timeout: {after: {seconds: 3}}
            do:
              - pause: {wait: {seconds: 3}}
              - below: {run: {workflow: {namespace: t, name: child, version: 1.0.0, input: {n: 3}}}}
      catch: {errors: {with: {status: 408}}, do: [{late: {wait: {seconds: 20}}}, {none: {set: {n: 0}}}]}
"""
RUN_FAULT = f"""
do:
  - guarded:
      try:
        - pay:
            {SAGA}
            do:
              - book: {{{BOOK}}}
              - below: {{run: {{workflow: {{namespace: t, name: failing, version: 1.0.0, input: {{n: 1}}}}}}}}
      catch: {{do: [{{last: {{set: {{how: undone}}}}}}]}}
"""
RUN_UNDOABLE = f"""
do:
  - book: {{{BOOK}}}
  - both:
      fork:
        branches:
          - left: {{run: {{workflow: {{namespace: t, name: parent, version: 1.0.0, input: {{n: 1}}}}}}}}
          - right: {{{SEND}}}
  - charge: {{{SEND}}}
  - last: {{set: {{how: done}}}}
"""
RUN_UNDONE = """
do:
  - guarded:
      try:
        - below: {run: {workflow: {namespace: t, name: undone, version: 1.0.0, input: {n: 1}}}}
      catch: {do: [{last: {set: {how: undone}}}]}
"""
MAP = """
do:
  - each:
      call: map
      with: {items: "${ .items }", workflow: {namespace: t, name: child, version: 1.0.0}}
"""
