"""Makes spoken_digits.npz from the recordings of the free-spoken-digit-dataset.

    git clone https://github.com/Jakobovski/free-spoken-digit-dataset
    cd tutorials && python -m data.make_spoken_digits free-spoken-digit-dataset/recordings

Takes the folder with the WAV files, named DIGIT_SPEAKER_INDEX.wav, or an .npz file with all of
them: int16 `samples` one after the other, `offsets` where each begins and where the last ends,
`digit`, `speaker` and `index`. Either way recordings are put in the order of speaker, digit and
index, so that the file comes out the same.
"""

import argparse
import pathlib
import wave

import numpy as np
from lib import spoken_digits

COUNT = 3000


def from_folder(folder):
    """The recordings of a folder of WAV files.

    Args:
        folder: pathlib.Path.

    Returns:
        list of (speaker, digit, index, int16 array).

    Raises:
        ValueError: if a file has another form.
    """
    found = []
    for path in sorted(folder.glob("*.wav")):
        digit, speaker, index = path.stem.split("_")
        with wave.open(str(path)) as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
            if form != (1, 2, spoken_digits.RATE_HZ):
                raise ValueError(
                    f"{path} must hold one channel of 2 bytes at {spoken_digits.RATE_HZ} Hz. "
                    f"Received: {form[0]} of {form[1]} bytes at {form[2]} Hz"
                )
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        found.append((speaker, int(digit), int(index), samples))
    return found


def from_arrays(path):
    """The recordings of an .npz file, as those of a folder."""
    with np.load(path) as arrays:
        offsets, samples = arrays["offsets"], arrays["samples"]
        names = zip(arrays["speaker"], arrays["digit"], arrays["index"])
        return [
            (str(speaker), int(digit), int(index), samples[offsets[i] : offsets[i + 1]])
            for i, (speaker, digit, index) in enumerate(names)
        ]


def write(recordings, path):
    """Write the pictures of recordings.

    Args:
        recordings: see `from_folder`.
        path: pathlib.Path of the .npz file.
    """
    recordings = sorted(recordings, key=lambda one: one[:3])
    speakers, digits, indices, samples = zip(*recordings)
    np.savez_compressed(
        path,
        pictures=np.stack([spoken_digits.log_mel(one) for one in samples]),
        digit=np.array(digits, np.uint8),
        speaker=np.array(speakers),
        index=np.array(indices, np.uint8),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=pathlib.Path, help="folder of WAV files, or .npz file")
    parser.add_argument("--output", type=pathlib.Path, default=spoken_digits.PATH)
    arguments = parser.parse_args()
    read = from_folder if arguments.source.is_dir() else from_arrays
    recordings = read(arguments.source)
    if len(recordings) != COUNT:
        parser.error(
            f"{arguments.source} must hold {COUNT} recordings. Received: {len(recordings)}"
        )
    write(recordings, arguments.output)


if __name__ == "__main__":
    main()
