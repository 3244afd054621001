"""`python -m simcore.cli`: the same as the console script `simcore`."""

import sys

from simcore.cli import main

sys.exit(main())
