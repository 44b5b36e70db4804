"""Documents that undo what they did."""

BOOK = "call: ledger, metadata: {dotdo: {undo: {call: ledger, with: {back: 1}}}}"
SEND = "call: outside, metadata: {dotdo: {undo: {call: outside, with: {back: 2}}}}"
SAGA = "metadata: {dotdo: {saga: true}}"

# Everything is undone, the last one first, whichever step refuses.
UNDO = f"""
do:
  - guarded:
      {SAGA}
      try:
        - book: {{{BOOK}}}
        - charge: {{{SEND}}}
        - again: {{for: {{in: "${{ .items }}"}}, do: [{{note: {{{BOOK}}}}}], output: {{as: "$input"}}}}
        - no: {{call: refuses}}
      catch: {{do: [{{last: {{set: {{how: undone}}}}}}]}}
"""
# An attempt is undone before the next one does the same again.
UNDO_RETRY = f"""
do:
  - attempt:
      try:
        - inner:
            try:
              - pay: {{{SAGA}, do: [{{book: {{{BOOK}}}}}, {{charge: {{{SEND}}}}}, {{no: {{call: declines}}}}]}}
            catch: {{do: [{{raised: {{raise: {{error: {{type: "https://example.com/again", status: 503}}}}}}}}]}}
      catch:
        errors: {{with: {{status: 503}}}}
        retry: {{delay: {{seconds: 5}}, limit: {{attempt: {{count: 9}}}}}}
  - last: {{set: {{how: paid}}}}
"""
# A branch faults while the others work: what they did is undone, also what came too late.
UNDO_FORK = f"""
do:
  - guarded:
      try:
        - pay:
            {SAGA}
            do:
              - both:
                  fork:
                    branches:
                      - left: {{do: [{{book: {{{BOOK}}}}}, {{send: {{{SEND}}}}}, {{no: {{call: refuses}}}}]}}
                      - right: {{do: [{{send: {{{SEND}}}}}, {{note: {{{BOOK}}}}}, {{pause: {{wait: {{seconds: 9}}}}}}]}}
      catch: {{do: [{{pause: {{wait: {{seconds: 30}}}}}}, {{last: {{set: {{how: undone}}}}}}]}}
"""
# A branch is left while it undoes: that is taken up again.
UNDO_CUT = f"""
do:
  - guarded:
      try:
        - pay:
            {SAGA}
            do:
              - both:
                  fork:
                    branches:
                      - one:
                          try:
                            - inner:
                                {SAGA}
                                do: [{{book: {{{BOOK}}}}}, {{send: {{{SEND}}}}}, {{no: {{call: refuses}}}}]
                          catch: {{}}
                      - two: {{do: [{{pause: {{wait: {{seconds: 3}}}}}}, {{no: {{call: refuses}}}}]}}
      catch: {{do: [{{last: {{set: {{how: undone}}}}}}]}}
"""
# The workflow undoes by itself and goes on.
COMPENSATE = f"""
do:
  - book: {{{BOOK}}}
  - scope:
      {SAGA}
      do:
        - note: {{{BOOK}}}
        - charge: {{{SEND}}}
        - undo: {{call: saga.compensate}}
        - charge_again: {{{SEND}}}
        - undo_again: {{call: saga.compensate}}
  - all: {{call: saga.compensate}}
  - last: {{set: {{how: undone}}}}
"""
# A timeout cuts calls that are under way: their effects are undone as well.
UNDO_LATE = f"""
do:
  - guarded:
      try:
        - block:
            {SAGA}
            timeout: {{after: {{seconds: 10}}}}
            do:
              - book: {{{BOOK}}}
              - pause: {{wait: {{seconds: 8}}}}
              - charge: {{{SEND}}}
              - note: {{{BOOK}}}
              - send: {{{SEND}}}
              - never: {{wait: {{seconds: 40}}}}
      catch: {{do: [{{late: {{wait: {{seconds: 60}}}}}}]}}
  - last: {{set: {{how: undone}}}}
"""
# The losers of a race had effects, too.
UNDO_RACE = f"""
do:
  - first:
      fork:
        compete: true
        branches:
          - slow: {{do: [{{book: {{{BOOK}}}}}, {{send: {{{SEND}}}}}, {{charge: {{{SEND}}}}}, {{note: {{{BOOK}}}}}]}}
          - quick: {{do: [{{pause: {{wait: {{seconds: 3}}}}}}, {{note: {{{BOOK}}}}}]}}
  - pause: {{wait: {{seconds: 5}}}}
  - all: {{call: saga.compensate}}
  - pause_again: {{wait: {{seconds: 30}}}}
  - last: {{set: {{how: undone}}}}
"""
# A call that was cut is repeated: its effect belongs to the later attempt.
UNDO_REPEATED = f"""
do:
  - guarded:
      try:
        - block: {{timeout: {{after: {{seconds: 4}}}}, do: [{{charge: {{{SEND}}}}}]}}
      catch: {{retry: {{delay: {{seconds: 2}}, limit: {{attempt: {{count: 50}}}}}}}}
  - rest: {{wait: {{seconds: 30}}}}
  - all: {{call: saga.compensate}}
  - last: {{set: {{how: undone}}}}
"""
# People undo it; or the document says that a run which fails is undone.
UNDOABLE = f"""
do:
  - book: {{{BOOK}}}
  - both:
      fork:
        branches:
          - left: {{do: [{{send: {{{SEND}}}}}, {{note: {{{BOOK}}}}}]}}
          - right: {{do: [{{pause: {{wait: {{seconds: 6}}}}}}, {{send: {{{SEND}}}}}]}}
  - charge: {{{SEND}}}
  - pause: {{wait: {{seconds: 6}}}}
  - last: {{set: {{how: done}}}}
"""
# It faults again whenever a person retries it.
STUCK = f"""
do:
  - book: {{{BOOK}}}
  - charge: {{{SEND}}}
  - no: {{raise: {{error: {{type: "https://example.com/stuck", status: 500}}}}}}
"""
ON_FAULT = f"""
do:
  - book: {{{BOOK}}}
  - both:
      fork:
        branches:
          - left: {{do: [{{send: {{{SEND}}}}}, {{note: {{{BOOK}}}}}]}}
          - right: {{do: [{{pause: {{wait: {{seconds: 3}}}}}}, {{no: {{call: refuses}}}}]}}
  - last: {{set: {{how: done}}}}
"""
