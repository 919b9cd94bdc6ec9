# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tables of expected results: Markdown that people read, and that programs compare with what they see."""

import os

HERE = os.path.dirname(os.path.realpath(__file__))


def tables(name):
    """All tables of a document, each a list of rows, each row a dictionary by its column's head."""
    found, head, rows = [], None, None
    with open(os.path.join(HERE, name)) as f:
        for line in f:
            cells = [cell.strip().replace("\\|", "|") for cell in line.strip().replace("\\|", "\\p").split("|")]
            cells = [cell.replace("\\p", "|").strip("`") for cell in cells][1:-1]
            if not line.startswith("|"):
                head = None
            elif head is None:
                head, rows = cells, []
                found.append(rows)
            elif set("".join(cells)) - set("-: "):
                rows.append(dict(zip(head, cells, strict=True)))
    return found


def show(rows):
    """Prints rows as a Markdown table."""
    head = list(rows[0])
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row[name].replace("|", "\\|") for name in head) + " |")
