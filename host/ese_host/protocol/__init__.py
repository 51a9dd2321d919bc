"""The protocol between host and engine: registers, packets, answers, and the results read from answers."""

from ese_host.protocol.answer_shape import AnswerShape, Trace
from ese_host.protocol.packets import (
    MAX_SEQUENCES,
    PROTOCOL_VERSION,
    RUN_HEADER_WORDS,
    TRAILER_WORDS,
    ErrorCode,
    Operation,
    Trailer,
    Words,
    check_version,
    crc32,
    load_packet,
    read_trailer,
    reset_packet,
    run_packet,
    step_words,
)
from ese_host.protocol.registers import IDLE_BIT, REGISTERS, START, START_BIT, DmaBit, DmaRegister
from ese_host.protocol.results import RunResult, joined, stacked

__all__ = [
    "IDLE_BIT",
    "MAX_SEQUENCES",
    "PROTOCOL_VERSION",
    "REGISTERS",
    "RUN_HEADER_WORDS",
    "START",
    "START_BIT",
    "TRAILER_WORDS",
    "AnswerShape",
    "DmaBit",
    "DmaRegister",
    "ErrorCode",
    "Operation",
    "RunResult",
    "Trace",
    "Trailer",
    "Words",
    "check_version",
    "crc32",
    "joined",
    "load_packet",
    "read_trailer",
    "reset_packet",
    "run_packet",
    "stacked",
    "step_words",
]
