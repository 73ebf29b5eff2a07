"""Work that one machine of a cluster never finishes; runs in the processes of that cluster.

The machine whose environment has `CREPITUS_TEST_LOST` answers its first batch and stops in the second; the
other one stops after its first until that has happened. So the first has certainly done something, and
certainly has something in hand, when it is killed.
"""

import os
import time

from crepitus.data.convert_file import convert_file

BATCH = 4

done = 0


def flag(options):
    """File that is there when the lost machine has stopped."""
    return options.folder.parent / "stopped"


def convert_or_stop(options, entry):
    global done
    done += 1
    if done > BATCH:
        parent = os.getppid()
        lost = os.environ.get("CREPITUS_TEST_LOST") is not None
        if lost:
            flag(options).touch()
        while lost or not flag(options).exists():
            if os.getppid() != parent:
                os._exit(1)
            time.sleep(0.05)
    return convert_file(options, entry)
