/* mcap_impl.h - the format's numbers, for mcap.c and mcap_read.c alone. */
#ifndef DAEMON_MCAP_IMPL_H
#define DAEMON_MCAP_IMPL_H

enum mcap_opcode {
    MCAP_HEADER = 1,
    MCAP_FOOTER = 2,
    MCAP_SCHEMA = 3,
    MCAP_CHANNEL = 4,
    MCAP_MESSAGE = 5,
    MCAP_CHUNK = 6,
    MCAP_MESSAGE_INDEX = 7,
    MCAP_CHUNK_INDEX = 8,
    MCAP_STATISTICS = 11,
    MCAP_SUMMARY_OFFSET = 14,
    MCAP_DATA_END = 15
};

enum { MCAP_MAGIC_B = 8, MCAP_PREFIX_B = 9, MCAP_CHUNK_B = 256 << 10 };

#define MCAP_MAGIC "\x89MCAP0\r\n"

#endif
