"""Backstage as a program, with workers of the priority of the tests.

Nice workers wait for all other work of the machine: beside two busy programs, tests that prepare
tracks took four times as long, and met their timeouts.
"""

import os
import sys

from sfa_engine.backstage import niceness
from sfa_engine.run.backstage_process import main

niceness.NICE = niceness.NICE_PLAYING = os.getpriority(os.PRIO_PROCESS, 0)
sys.exit(main())
