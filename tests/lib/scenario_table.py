"""The closing table of the end-to-end scenarios: scenario.py prints a line for each, read here by what runs it."""
import re

QUESTIONS = ("SAs up", "sessions or routes up", "both directions", "nothing in the clear")
SURVIVES = "survives its fault"


def line(name, answers, faults):
    """`answers` holds the questions that were answered yes, `faults` {what happened: was it survived}."""
    cells = ["yes" if q in answers else "NO" for q in QUESTIONS]
    survived = "NO" if not faults or not all(faults.values()) else "yes"
    told = "; ".join(what if done else f"NOT {what}" for what, done in faults.items()) or "no fault was tried"
    return f"row {name} | " + " | ".join([*cells, f"{survived}: {told}"])


def read(output):
    """The rows among the lines of a script's output."""
    return [m[1].split(" | ") for m in re.finditer(r"^row (.* \| .*)$", output, re.M)]


def table(rows):
    """The table as text; empty without rows."""
    if not rows:
        return ""
    head = ["scenario", *QUESTIONS, SURVIVES]
    order = lambda row: (int((re.match(r"\d+", row[0]) or ["99"])[0]), row[0])
    lines = [head, *sorted(rows, key=order)]
    widths = [max(len(row[i]) for row in lines) for i in range(len(head) - 1)]
    return "\n".join("  ".join([*(c.ljust(w) for c, w in zip(row, widths)), row[-1]]) for row in lines)
