// Our notifications as programs of others read them: Sisimai (Perl) and flufl.bounce (Python, of Mailman).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { composeDsn } from '#mail/dsn/dsn.ts';
import type { DsnInput, DsnRecipient } from '#mail/dsn/dsn-input.ts';

const original = Buffer.from(
  'Received: from a.example by b.example; Sat, 21 Nov 2026 03:00:00 +0000\r\nFrom: joe@sender.example\r\nTo: x@there.example\r\nSubject: Hello\r\nMessage-ID: <abc@sender.example>\r\n\r\nBody\r\n',
);

function recipient(
  finalRecipient: string,
  status: string,
  diagnostic: string,
  more: Partial<DsnRecipient> = {},
): DsnRecipient {
  return {
    finalRecipient,
    originalRecipient: `rfc822;${finalRecipient}`,
    action: 'failed',
    status,
    remoteMta: 'mx.there.example',
    diagnostic,
    explanation: 'The host of the recipient refused the message.',
    lastAttemptAt: '2026-11-21T03:10:00.000Z',
    willRetryUntil: null,
    ...more,
  };
}

function compose(recipients: readonly DsnRecipient[], changes: Partial<DsnInput> = {}): Uint8Array {
  return composeDsn({
    id: '01JD0000000000000000000000',
    boundary: 'b01JD0000000000000000000000',
    hostname: 'mx.example.org',
    to: 'joe@sender.example',
    now: '2026-11-21T03:11:00.000Z',
    arrivalAt: '2026-11-21T03:00:00.000Z',
    envid: null,
    ret: null,
    smtpUtf8: false,
    recipients,
    original,
    originalBytes: original.length,
    ...changes,
  });
}

/** Skips where the interpreter cannot load what it needs; fails under CI. */
function moduleOptions(command: string, ...args: string[]): { skip?: string } {
  if (spawnSync(command, args).status === 0) return {};
  if (process.env['CI']) throw new Error(`${command} ${args.join(' ')} does not work here`);
  return { skip: `needs ${args.join(' ')} (libsisimai-perl, python3-flufl.bounce)` };
}

const sisimai = 'use Sisimai; local $/; my $m = <STDIN>; print Sisimai->dump(\\$m, "delivered" => 1) // "[]"';
const flufl = `
import sys, email, json
from flufl.bounce import scan_message, all_failures
message = email.message_from_bytes(sys.stdin.buffer.read())
temporary, permanent = all_failures(message)
print(json.dumps({'temporary': sorted(x.decode() for x in temporary), 'permanent': sorted(x.decode() for x in permanent)}))
`;

function run(command: string, args: string[], message: Uint8Array): unknown {
  const { status, stdout, stderr } = spawnSync(command, args, { input: message });
  assert.equal(status, 0, stderr.toString());
  return JSON.parse(stdout.toString());
}

const failures = [
  recipient(
    'nobody@there.example',
    '5.1.1',
    '550 5.1.1 <nobody@there.example>: Recipient address rejected: User unknown',
  ),
  recipient('full@there.example', '5.2.2', '552 5.2.2 Mailbox full'),
];

test('Sisimai reads recipient, status, reply code and reason', moduleOptions('perl', '-MSisimai', '-e', '1'), () => {
  for (const changes of [{}, { ret: 'hdrs' as const }, { smtpUtf8: true }]) {
    const read = run('perl', ['-e', sisimai], compose(failures, changes)) as Record<string, string>[];
    assert.deepEqual(
      read.map((each) => [
        each['recipient'],
        each['deliverystatus'],
        each['replycode'],
        each['reason'],
        each['action'],
      ]),
      [
        ['nobody@there.example', '5.1.1', '550', 'userunknown', 'failed'],
        ['full@there.example', '5.2.2', '552', 'mailboxfull', 'failed'],
      ],
      JSON.stringify(changes),
    );
    assert.equal(read[0]?.['addresser'], 'joe@sender.example');
    assert.equal(read[0]?.['rhost'], 'mx.there.example');
    assert.equal(read[0]?.['subject'], 'Hello');
  }
});

test(
  'flufl.bounce finds who failed for good and who is only late',
  moduleOptions('/usr/bin/python3', '-c', 'import flufl.bounce'),
  () => {
    const late = recipient('late@there.example', '4.4.1', '421 4.4.1 try later', {
      action: 'delayed',
      willRetryUntil: '2026-11-26T03:00:00.000Z',
    });
    assert.deepEqual(run('/usr/bin/python3', ['-c', flufl], compose([...failures, late])), {
      temporary: ['late@there.example'],
      permanent: ['full@there.example', 'nobody@there.example'],
    });
  },
);
