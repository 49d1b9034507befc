"""The compliance report: what happened in a period, for whoever has to answer for it."""
