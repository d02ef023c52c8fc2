"""mcap_check.py FILE - reads a recording with the mcap package of its makers: CRCs, index, schemas.

Prints "topic count" a line; exit 77 where the package is not.
"""
import json
import sys

try:
    from mcap.reader import make_reader
    from mcap.stream_reader import StreamReader
except ImportError:
    sys.exit(77)

with open(sys.argv[1], "rb") as file:
    plain = sum(type(r).__name__ == "Message" for r in StreamReader(file, validate_crcs=True).records)
with open(sys.argv[1], "rb") as file:
    reader = make_reader(file, validate_crcs=True)
    summary = reader.get_summary()
    counts: dict = {}
    for schema, channel, message in reader.iter_messages():  # by the index, in order of time
        known = json.loads(schema.data)["properties"]
        body = json.loads(message.data)
        assert schema.encoding == "jsonschema" and channel.message_encoding == "json"
        assert abs(1e-9 * message.log_time - body["t_s"]) < 1e-6
        assert channel.topic == "event" or set(body) <= set(known), set(body) - set(known)
        counts[channel.topic] = counts.get(channel.topic, 0) + 1
assert plain == sum(counts.values()) == summary.statistics.message_count
for topic, n in sorted(counts.items()):
    print(topic, n)
