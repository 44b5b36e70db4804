"""Notifications that tell a person: from what happened to a message that somebody has.

    run fails      a trigger writes a notice, in the transaction that parks the run
    watching       a chore finds what has lasted too long, and writes one notice for each episode
    matching       whom does a notice concern? Those of one kind and definition that come together are one message
    sending        claimed, sent, recorded: at least once, under one id, tried for three days

Nothing here is waited for by a run, and nothing here tells about itself.
"""
