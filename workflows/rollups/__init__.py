"""Counts kept beside the work, from which every chart is drawn.

What ended is counted from the audit trail, once and in the order of its ids (`counting`); how much there is of
something at a moment is looked at each minute (`gauges`). `slots` says how durations are counted.
"""
