"""Giving values to names: one value for all, or by patterns of the name."""

import re


def values_by_name(argument, values, names, *, kind="layer", also=None):
    """The value of each name.

    Args:
        argument: str, the name of the caller's argument, for the error.
        values: one value for all, or a dict from regular expressions to values: a name gets
            the value of the first expression found in it, and none if no one is.
        names: iterable of str.
        kind: str, what the names are names of, for the error.
        also: None, or a dict from each name to another one that expressions may be found in.

    Returns:
        Dict from name to value.

    Raises:
        ValueError: if an expression is found in no name; the message lists the names.
    """
    if not isinstance(values, dict):
        return dict.fromkeys(names, values)
    found = {}
    for pattern, value in values.items():
        matches = [
            name
            for name in names
            if re.search(pattern, name) or (also and re.search(pattern, also[name]))
        ]
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
