"""Tables in Markdown."""


def table(columns, items):
    """The lines of a table.

    Args:
        columns: `{heading: function of an item that gives the cell}`.
        items: what the rows are about.
    """
    return grid(columns, ([cell(item) for cell in columns.values()] for item in items))


def grid(headings, cells):
    """The lines of a table, from its headings and the cells of each row."""
    headings = list(headings)
    return [line(headings), line(["---"] * len(headings)), *map(line, cells)]


def line(cells):
    """A row of a table."""
    # A bar or a line break would end the cell.
    safe = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(safe)} |"
