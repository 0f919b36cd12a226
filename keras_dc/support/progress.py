"""Progress of long work, for whoever wants to show it: nobody, unless there is a listener."""

import contextlib
import contextvars

_LISTENER = contextvars.ContextVar("keras_dc_progress", default=None)


@contextlib.contextmanager
def told_to(listener):
    """Have a function told of progress within a `with` block, in the same thread.

    Args:
        listener: function `(what, done, total)`: a str, what is being done; and two ints, how
            much of it is done and to be done, of any unit. A total of 0 is not known.
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def tell(what, done=0, total=0):
    """Tell the listener, if there is one."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(what, done, total)


def tracked(items, what, sizes):
    """Yield items, and tell when each is done.

    Args:
        items: iterable.
        what: str, see `told_to`.
        sizes: list of int, the work that each item is.

    Yields:
        the items.
    """
    total, done = sum(sizes), 0
    tell(what, done, total)
    for item, size in zip(items, sizes):
        yield item
        done += size
        tell(what, done, total)
