# Reads messages as Python's email package does, both of its policies, and prints the addresses of their From fields: those that
# the package itself finds there, and those that getaddresses() does. Input: a line of base64 each. Output: a JSON array a line.
import base64, email, email.policy, inspect, json, sys
from email.utils import getaddresses

lax = {'strict': False} if 'strict' in inspect.signature(getaddresses).parameters else {}

def authors(message):
    for value in message.get_all('from', []):
        for address in getattr(value, 'addresses', ()):
            yield address.addr_spec
        for _, address in getaddresses([str(value)], **lax):
            yield address

for line in sys.stdin:
    octets = base64.b64decode(line)
    found = set()
    for policy in (email.policy.default, email.policy.compat32):
        try:
            found.update(authors(email.message_from_bytes(octets, policy=policy)))
        except Exception:
            pass
    print(json.dumps(sorted(address for address in found if '@' in address)))
