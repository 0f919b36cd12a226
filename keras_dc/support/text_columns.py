"""Tables in plain text, without a library: a device needs none."""

_GAP = "  "


def aligned(rows, is_number):
    """Align cells in columns.

    Args:
        rows: list of lists of str, equally many in each.
        is_number: for each column, whether it is aligned to the right.

    Returns:
        list of str, a line for each row, without trailing blanks.
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        _GAP.join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_number)
        ).rstrip()
        for row in rows
    ]
