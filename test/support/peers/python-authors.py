# Reads messages as Python's email package does, both of its policies, and prints whom it would show as their authors.
# Input: a line of base64 each. Output: a JSON array of strings a line, everything with an @ that an author field shows.
import base64, email, email.policy, json, re, sys
from email.header import decode_header, make_header
from email.utils import getaddresses

names = ['from', 'sender', 'resent-from', 'resent-sender']

def shown(message):
    for name in names:
        for value in message.get_all(name, []):
            text = str(value)
            yield text
            try:
                yield str(make_header(decode_header(text)))
            except Exception:
                pass
            for display, address in getaddresses([text]):
                yield display
                yield address
            for address in getattr(getattr(value, 'addresses', None) or (), '__iter__', lambda: iter(()))():
                yield address.display_name
                yield address.addr_spec

for line in sys.stdin:
    octets = base64.b64decode(line)
    texts = []
    for policy in (email.policy.default, email.policy.compat32):
        try:
            texts += list(shown(email.message_from_bytes(octets, policy=policy)))
        except Exception as error:
            texts.append('error: ' + type(error).__name__)
    found = {match for text in texts for match in re.findall(r'[^\s"(),:;<>\[\]\\]+@[^\s"(),:;<>\[\]\\]+', text)}
    print(json.dumps(sorted(found)))
