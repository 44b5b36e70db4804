"""Documents without anything to undo and without children: small enough to be played many thousand times."""

SEQUENCE = """
do:
  - book: {call: ledger, with: {n: "${ .n }"}}
  - charge: {call: outside, with: {n: "${ .n }"}, export: {as: {charged: "${ .n }"}}}
  - pause: {wait: {seconds: 20}}
  - note: {call: ledger, with: {n: "${ $context.charged }"}}
  - last: {set: {n: "${ .n }", charged: "${ $context.charged }"}}
"""
LOOP = """
do:
  - each:
      for: {in: .items}
      do:
        - book: {call: ledger, with: {n: "${ $item }", at: "${ $index }"}}
        - charge: {call: outside, with: {n: "${ $item }"}}
  - check: {switch: [{once: {when: "$context.again // false", then: end}}]}
  - again: {set: {items: [9]}, export: {as: {again: true}}, then: each}
"""
RETRY = """
do:
  - attempt:
      try:
        - book: {call: ledger, with: {n: 1}}
        - charge: {call: declines, with: {n: 2}}
        - note: {call: ledger, with: {n: 3}}
      catch:
        errors: {with: {status: 402}}
        retry: {delay: {seconds: 15}, limit: {attempt: {count: 3}}}
  - last: {set: {n: "${ .n }"}}
"""
FORK = """
do:
  - both:
      fork:
        branches:
          - left:
              do:
                - book: {call: ledger, with: {n: 1}}
                - pause: {wait: {seconds: 9}}
                - send: {call: outside, with: {n: 2}}
          - right: {call: outside, with: {n: 3}}
          - inner:
              fork:
                branches:
                  - a: {call: ledger, with: {n: 4}}
                  - b: {call: ledger, with: {n: 5}}
  - last: {call: ledger, with: {n: 6}, output: {as: "$input"}}
"""
RACE = """
do:
  - first:
      fork:
        compete: true
        branches:
          - slow: {do: [{pause: {wait: {seconds: 12}}}, {book: {call: ledger, with: {won: slow}}}]}
          - quick: {call: outside, with: {won: quick}}
  - last: {call: ledger, with: {won: "${ .won }"}}
"""
FAULT = """
do:
  - guarded:
      try:
        - both:
            fork:
              branches:
                - left: {do: [{book: {call: ledger, with: {n: 1}}}, {no: {call: declines, with: {n: 2}}}]}
                - right: {do: [{send: {call: outside, with: {n: 3}}}, {note: {call: ledger, with: {n: 4}}}]}
      catch: {errors: {with: {status: 402}}, do: [{late: {call: ledger, with: {how: caught}}}]}
  - last: {call: ledger, with: {how: "${ .how }"}}
"""
END = """
do:
  - both:
      fork:
        branches:
          - left: {do: [{book: {call: ledger, with: {n: 1}}}, {stop: {set: ended, then: end}}]}
          - right: {do: [{pause: {wait: {seconds: 15}}}, {stop: {set: ended, then: end}}]}
"""
LISTEN = """
do:
  - begin: {call: ledger, with: {n: 1}}
  - both: {listen: {to: {all: [{with: {type: paid}}, {with: {type: sent}}]}}}
  - note: {call: ledger, with: {n: 2}, output: {as: "$input"}}
"""
CALLBACK = """
do:
  - ask: {call: outside, with: {n: 1}}
  - answer: {listen: {to: {one: {with: {type: paid}}}}}
"""
STREAM = """
do:
  - each:
      listen: {to: {any: [{with: {type: item}}], until: {one: {with: {type: end}}}}}
      foreach: {do: [{book: {call: ledger, with: {n: "${ $item }"}}}]}
"""
TIMEOUT = """
do:
  - guarded:
      try:
        - block:
            timeout: {after: {seconds: 25}}
            do:
              - book: {call: ledger, with: {n: 1}}
              - pause: {wait: {seconds: 20}}
              - charge: {call: outside, with: {n: 2}}
              - both: {fork: {branches: [{a: {call: ledger, with: {n: 3}}}, {b: {wait: {seconds: 4}}}]}}
              - fine: {set: fine}
      catch:
        errors: {with: {status: 408}}
        do: [{late: {set: late}}]
  - last: {call: ledger, with: {how: "${ . }"}, output: {as: .how}}
"""
