"""`python -m keras_dc`, which is `keras-dc`."""

import sys

from keras_dc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
