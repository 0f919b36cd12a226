"""Which value each of several names gets: one for all, or by name pattern."""

import re


def values_by_name(argument, values, names, *, kind="layer"):
    """The value of each name: `values` itself, or that of the first pattern in it.

    Args:
        argument: str, what the caller's argument is called, for the error.
        values: one value for all, or a dict from regular expressions, searched in the
            name in their order; a name that none of them finds gets no value.
        names: the names there are.
        kind: str, what the names are names of, for the error.

    Returns:
        Dict from name to value.

    Raises:
        ValueError: if a pattern finds no name; the message lists the names.
    """
    if not isinstance(values, dict):
        return dict.fromkeys(names, values)
    found = {}
    for pattern, value in values.items():
        matches = [name for name in names if re.search(pattern, name)]
        if not matches:
            raise ValueError(
                f"A pattern of `{argument}` selects no {kind}. {kind.capitalize()}s to select "
                f"from: {list(names)}. Received: pattern={pattern!r}"
            )
        for name in matches:
            found.setdefault(name, value)
    if not found:
        raise ValueError(
            f"`{argument}` must name a {kind} at least. {kind.capitalize()}s to select from: "
            f"{list(names)}. Received: {argument}={values}"
        )
    return found
