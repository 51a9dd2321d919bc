# SPDX-License-Identifier: Apache-2.0
"""The packet room with queues of eight places, which fill up in few clocks: for counterexamples from reset on."""

from ese_rtl.packet.answer import Reply
from ese_rtl.packet.intake import Intake
from ese_rtl.packet.queue import Queue
from support.proof import mutated

FEW = 8
SMALL = ("DEPTH = 32", f"DEPTH = {FEW}")
IN_SMALL = ("from ese_rtl.packet.queue import Queue", "from small_parts import SmallQueue as Queue")
"""A change of what imports the queue."""
SmallQueue = mutated(Queue, SMALL)
SmallIntake, SmallReply = mutated(Intake, IN_SMALL), mutated(Reply, IN_SMALL)
PACKETS_IN_SMALL = (
    ("from ese_rtl.packet.intake import Intake", "from small_parts import SmallIntake as Intake"),
    (
        "from ese_rtl.packet.answer import Reply, Status",
        "from ese_rtl.packet.answer import Status\nfrom small_parts import SmallReply as Reply",
    ),
)
"""Changes of the parser."""
