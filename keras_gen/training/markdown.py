"""Tables in Markdown."""


def table(columns, rows):
    """The lines of a table.

    Args:
        columns: `{heading: function of a row that gives the cell}`.
        rows: anything.
    """
    lines = [line(columns), line("---" for _ in columns)]
    return lines + [line(cell(row) for cell in columns.values()) for row in rows]


def line(cells):
    """A row of a table."""
    # A bar or a line break would end the cell.
    safe = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(safe)} |"
