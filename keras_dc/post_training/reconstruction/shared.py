"""Weights that several ops read: what each of them is given counts."""

import numpy as np

from keras_dc.post_training.reconstruction.importance import Importance
from keras_dc.post_training.reconstruction.moments import Moments, groups_of


def of_lookup(layer, counts, importance):
    """Moments and Importance of rows that are looked up: an error is seen where its row is read.

    Args:
        layer: `layers.Layer`, a lookup.
        counts: `moments.Counts`.
        importance: Importance of each column.

    Returns:
        tuple of Moments and Importance.
    """
    # A row that samples lack may yet come.
    shares = (counts.rows + 1) / np.sum(counts.rows + 1)
    columns, mean = importance.weights, float(np.mean(importance.weights))
    groups, zeros = groups_of(layer), np.zeros(len(columns))
    moments = Moments(
        groups=groups,
        own=[np.diag(columns[group.columns] / mean).astype(np.float32) for group in groups],
        cross=[None] * len(groups),
        mean=zeros,
        original_mean=zeros,
        num_positions=counts.num_positions,
        num_rows=int(np.sum(counts.rows)),
        shrinkage=[0.0] * len(groups),
    )
    return moments, Importance(mean * shares, 1.0, importance.is_measured)


def by_bias(layer, moments, importances):
    """Moments and Importance of the uses of a layer, those together that add the same bias.

    Args:
        layer: `layers.Layer`.
        moments: list of Moments, one for each use.
        importances: list of Importance.

    Returns:
        list of tuples `(bias, Moments, Importance)`, with a Constant or None for the bias.
    """
    places: dict = {}
    for place, use in enumerate(layer.uses):
        # Where there is none, nothing makes up for a common mean.
        key = ("none", place) if use.bias is None else ("bias", use.bias.buffer)
        places.setdefault(key, []).append(place)
    return [
        (
            layer.uses[found[0]].bias,
            *joined(
                [moments[place] for place in found],
                [importances[place] for place in found],
                is_centred=layer.uses[found[0]].bias is not None,
            ),
        )
        for found in places.values()
    ]


def joined(moments, importances, *, is_centred):
    """Moments and Importance of several as those of one: errors of the outputs of all are added.

    The second moments are averaged, each with the weight of its outputs; that its rows may weigh
    otherwise than those of others counts on average over the inputs.

    Args:
        moments: list of Moments, all of the same groups.
        importances: list of Importance.
        is_centred: whether one bias makes up for the mean of all of them.

    Returns:
        tuple of Moments and Importance.
    """
    if len(moments) == 1:
        return moments[0], importances[0]
    sums = [
        each.num_positions * float(np.sum(importance.weights))
        for each, importance in zip(moments, importances)
    ]
    shares = np.array(sums) / np.sum(sums)
    mean = sum(share * each.mean for share, each in zip(shares, moments))
    original_mean = sum(share * each.original_mean for share, each in zip(shares, moments))
    shift = original_mean - mean
    own, cross = [], []
    for number, group in enumerate(moments[0].groups):
        total = np.zeros(moments[0].own[number].shape)
        crossed, has_cross = np.zeros(total.shape), False
        for share, each, importance in zip(shares, moments, importances):
            other = (each.mean - mean)[..., group.inputs]
            moved = (each.original_mean - each.mean - shift)[..., group.inputs]
            between = share * importance.coherence if is_centred else 0.0
            total += share * each.own[number] + between * _outer(other, other)
            crossed += between * _outer(moved, other)
            if each.cross[number] is not None:
                has_cross = True
                crossed += share * each.cross[number]
        own.append(total.astype(np.float32))
        cross.append(crossed.astype(np.float32) if has_cross else None)
    num_positions = sum(each.num_positions for each in moments)
    weights = sum(
        each.num_positions * importance.weights for each, importance in zip(moments, importances)
    )
    result = Moments(
        groups=moments[0].groups,
        own=own,
        cross=cross,
        mean=mean,
        original_mean=original_mean,
        num_positions=num_positions,
        num_rows=sum(each.num_rows for each in moments),
        shrinkage=[
            float(np.dot(shares, [each.shrinkage[number] for each in moments]))
            for number in range(len(own))
        ],
    )
    coherence = float(np.dot(shares, [importance.coherence for importance in importances]))
    is_measured = all(importance.is_measured for importance in importances)
    return result, Importance(weights / num_positions, coherence, is_measured)


def _outer(first, second):
    return first[..., :, None] * second[..., None, :]
