// What mail hosts do, each seen from the deliver stage: what is delivered, what waits, what bounces, and what is sent twice.
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { generate } from 'selfsigned';
import type { FetchPolicy } from '#functions/deliver/hosts/fetch-policy.ts';
import { createConnectionPool } from '#functions/deliver/smtp/connection-pool.ts';
import { timeoutsOf } from '#functions/deliver/smtp/timeouts.ts';
import { type DeliveryWorld, deliveryWorld } from '#test/functions/deliver/delivery-world.ts';
import { type Script, type ScriptedMx, startMx } from '#test/support/peers/scripted-mx.ts';
import { withEnvelope } from '#test/support/samples/sample-jobs.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';
import { eventually } from '#test/support/worlds/local-service.ts';

type Given = Parameters<typeof deliveryWorld>[0] & { readonly script?: Script };

/** One host at 127.0.0.1 and a stage that sends to it; both end with the test. */
async function meet(
  t: { after: (end: () => unknown) => void },
  { script = {}, ...given }: Given = {},
): Promise<{ mx: ScriptedMx; world: DeliveryWorld }> {
  const mx = await startMx(script);
  const world = deliveryWorld({ port: mx.port, ...given });
  t.after(() => Promise.all([mx.close(), world.close()]));
  return { mx, world };
}

/** For hosts that do not answer. Those that do have all the time they need, for a busy machine may need it. */
const quick = { config: { delivery: { attemptSeconds: 1 } } };

const refusals: readonly {
  title: string;
  script: Script;
  outcome: string;
  status: string | RegExp;
  isMute?: boolean;
}[] = [
  {
    title: '550 to MAIL',
    script: { answer: (line) => (line.startsWith('MAIL') ? '550 5.7.1 not you' : undefined) },
    outcome: 'bounced',
    status: '5.7.1',
  },
  {
    title: '451 to MAIL',
    script: { answer: (line) => (line.startsWith('MAIL') ? '451 4.7.1 busy' : undefined) },
    outcome: 'deferred',
    status: '4.7.1',
  },
  {
    title: '550 to RCPT without an enhanced code',
    script: { answer: (line) => (line.startsWith('RCPT') ? '550 no such user' : undefined) },
    outcome: 'bounced',
    status: '5.1.0',
  },
  {
    title: '450 to RCPT',
    script: { answer: (line) => (line.startsWith('RCPT') ? '450 4.2.0 greylisted' : undefined) },
    outcome: 'deferred',
    status: '4.2.0',
  },
  {
    title: '554 to DATA',
    script: { answer: (line) => (line === 'DATA' ? '554 5.5.0 no' : undefined) },
    outcome: 'bounced',
    status: '5.5.0',
  },
  {
    title: '250 to DATA, out of step',
    script: { answer: (line) => (line === 'DATA' ? '250 what' : undefined) },
    outcome: 'deferred',
    status: '4.0.0',
  },
  {
    title: '552 after the final dot',
    script: { accept: () => '552 5.3.4 too big' },
    outcome: 'bounced',
    status: '5.3.4',
  },
  {
    title: '452 after the final dot',
    script: { accept: () => '452 4.3.1 disk full' },
    outcome: 'deferred',
    status: '4.3.1',
  },
  {
    title: '550 with a 4.x.x code',
    script: { accept: () => '550 4.2.2 mixed up' },
    outcome: 'bounced',
    status: '5.2.2',
  },
  {
    title: '554 as the greeting of every host',
    script: { banner: '554 5.3.2 no mail here' },
    outcome: 'bounced',
    status: '5.3.2',
  },
  { title: '421 as the greeting', script: { banner: '421 4.3.2 come back' }, outcome: 'deferred', status: '4.3.2' },
  { title: 'no greeting at all', script: { banner: null }, outcome: 'deferred', status: '4.4.1', isMute: true },
  {
    title: 'a greeting that is no SMTP',
    script: { banner: 'HTTP/1.1 400 Bad Request' },
    outcome: 'deferred',
    status: '4.4.1',
  },
  {
    title: 'a greeting without end',
    script: { banner: `${'220-again\r\n'.repeat(5_000)}` },
    outcome: 'deferred',
    status: '4.4.1',
  },
  { title: 'a line without end', script: { banner: 'x'.repeat(200_000) }, outcome: 'deferred', status: '4.4.1' },
  {
    title: 'no answer to EHLO',
    script: { answer: (line) => (line.startsWith('EHLO') ? null : undefined) },
    outcome: 'deferred',
    status: '4.4.1',
    isMute: true,
  },
  {
    title: 'no answer to RCPT',
    script: { answer: (line) => (/^(RCPT|DATA)/.test(line) ? null : undefined) },
    outcome: 'deferred',
    status: /^4\.4\.2$/,
    isMute: true,
  },
  {
    title: '421 in the middle',
    script: { answer: (line) => (line.startsWith('RCPT') ? '421 4.3.2 going down' : undefined) },
    outcome: 'deferred',
    status: '4.3.2',
  },
  {
    title: 'hanging up at DATA',
    script: { answer: (line) => (line === 'DATA' ? 'close' : undefined) },
    outcome: 'deferred',
    status: '4.4.2',
  },
];

for (const { title, script, outcome, status, isMute = false } of refusals) {
  test(`${title}: ${outcome}, within the deadline`, async (t) => {
    const { world } = await meet(t, isMute ? { ...quick, script } : { script });
    const job = world.job();
    const elapsedMs = stopwatch();
    assert.equal((await world.run(job)).outcome, outcome);
    assert.ok(elapsedMs() < 3_000);
    const [recipient] = world.state(job).recipients;
    assert.match(recipient!.status!, typeof status === 'string' ? new RegExp(`^${status}$`) : status);
    assert.notEqual(recipient!.reason, null);
    assert.equal(world.bounces.length, outcome === 'bounced' ? 1 : 0);
    assert.equal(world.jobs.of('deliver').length, outcome === 'deferred' ? 1 : 0);
  });
}

test('a host that hangs up after the final dot may have the message: it is not sent again at once, and the history says so', async (t) => {
  const { mx, world } = await meet(t, { script: { accept: () => 'close' } });
  const job = world.job();
  assert.equal((await world.run(job)).outcome, 'deferred');
  assert.equal(mx.mails.length, 1);
  const [first] = world.state(job).attempts;
  assert.equal(first!.hosts[0]!.recipients[0]!.outcome, 'unknown');
  assert.match(first!.hosts[0]!.recipients[0]!.reason!, /may have been delivered/);
  mx.script = {};
  assert.equal((await world.runNext()).outcome, 'delivered');
  assert.equal(mx.mails.length, 2);
});

test('after the final dot no other host is asked, for the first may have the message', async (t) => {
  const first = await startMx({ accept: () => 'close' });
  const second = await startMx({ host: '127.0.0.2' }, first.port);
  const zone = {
    'far.example': {
      MX: [
        { priority: 1, exchange: 'a.far.example' },
        { priority: 2, exchange: 'b.far.example' },
      ],
    },
    'a.far.example': { A: ['127.0.0.1'] },
    'b.far.example': { A: ['127.0.0.2'] },
  };
  const world = deliveryWorld({ port: first.port, zone });
  t.after(() => Promise.all([first.close(), second.close(), world.close()]));
  assert.equal((await world.run(world.job())).outcome, 'deferred');
  assert.equal(second.connections(), 0);
});

const pairs: readonly { title: string; first: Script | null }[] = [
  { title: 'is dead', first: null },
  { title: 'greets with 554', first: { banner: '554 no' } },
  { title: 'greets with 421', first: { banner: '421 later' } },
  { title: 'is mute', first: { banner: null } },
  { title: 'refuses EHLO and HELO', first: { answer: (line) => (/^(EHLO|HELO)/.test(line) ? '550 no' : undefined) } },
  { title: 'hangs up at RCPT', first: { answer: (line) => (line.startsWith('RCPT') ? 'close' : undefined) } },
  { title: 'defers the recipient', first: { answer: (line) => (line.startsWith('RCPT') ? '450 later' : undefined) } },
];

for (const { title, first } of pairs) {
  test(`the host of better preference ${title}: the next one takes the message`, async (t) => {
    const second = await startMx({ host: '127.0.0.2' });
    const best = first === null ? null : await startMx(first, second.port);
    const zone = {
      'far.example': {
        MX: [
          { priority: 20, exchange: 'b.far.example' },
          { priority: 10, exchange: 'a.far.example' },
        ],
      },
      'a.far.example': { A: ['127.0.0.1'] },
      'b.far.example': { A: ['127.0.0.2'] },
    };
    const world = deliveryWorld({ port: second.port, zone, config: { delivery: { attemptSeconds: 2 } } });
    t.after(() => Promise.all([best?.close(), second.close(), world.close()]));
    const job = world.job();
    assert.equal((await world.run(job)).outcome, 'delivered');
    assert.equal(second.mails.length, 1);
    assert.deepEqual(
      world.state(job).attempts[0]!.hosts.map(({ host }) => host),
      ['a.far.example', 'b.far.example'],
    );
  });
}

test('a host that knows no EHLO is greeted with HELO and told no parameters', async (t) => {
  const { mx, world } = await meet(t, { script: { offers: null } });
  assert.equal(
    (await world.run(world.job({ bodyType: '8bitmime', dsn: { ret: 'full', envid: 'x' } }))).outcome,
    'delivered',
  );
  assert.deepEqual(mx.commands, [
    'EHLO mx.pillarbox.example',
    'HELO mx.pillarbox.example',
    'MAIL FROM:<a@sender.example>',
    'RCPT TO:<b@far.example>',
    'DATA',
  ]);
});

test('what a host offers is used: size, body type, notification parameters in xtext', async (t) => {
  const { mx, world } = await meet(t, {
    script: { offers: ['PIPELINING', 'SIZE 100000', '8BITMIME', 'DSN', 'SMTPUTF8'] },
  });
  const job = world.job({ bodyType: '8bitmime', dsn: { ret: 'hdrs', envid: 'a+b=c' } });
  const recipients = [
    {
      ...job.envelope.recipients[0]!,
      dsn: { notify: ['success' as const, 'failure' as const], orcpt: 'rfc822;b+x@far.example' },
    },
  ];
  await world.run(withEnvelope(job, { recipients }));
  assert.equal(
    mx.commands[1],
    `MAIL FROM:<a@sender.example> SIZE=${job.raw.bytes} BODY=8BITMIME RET=HDRS ENVID=a+2Bb+3Dc`,
  );
  assert.equal(mx.commands[2], 'RCPT TO:<b@far.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bx@far.example');
  assert.equal(world.bounces.length, 0, 'the host reports success itself');
});

test('success asked for, and a host that cannot report it: the sender is told that the message was relayed', async (t) => {
  const { world } = await meet(t);
  const job = world.job();
  await world.run(
    withEnvelope(job, { recipients: [{ ...job.envelope.recipients[0]!, dsn: { notify: ['success'], orcpt: null } }] }),
  );
  assert.match(world.bounces[0]!.text, /Action: relayed/);
});

test('success asked for at an alias is reported as expanded, for the address the sender wrote', async (t) => {
  const { mx, world } = await meet(t, { script: { offers: ['DSN'] } });
  const job = world.job();
  await world.run(
    withEnvelope(job, {
      recipients: [
        {
          ...job.envelope.recipients[0]!,
          originalForwardPath: 'info@sender.example',
          dsn: { notify: ['success'], orcpt: null },
        },
      ],
    }),
  );
  assert.match(world.bounces[0]!.text, /Final-Recipient: rfc822; ?info@sender\.example\r\nAction: expanded/);
  assert.ok(mx.commands.includes('RCPT TO:<b@far.example> NOTIFY=NEVER'));
});

const unable: readonly { title: string; given: object; script: Script; message?: string; status: string }[] = [
  {
    title: 'an international recipient and no SMTPUTF8',
    given: { to: ['jürgen@far.example'], smtpUtf8: true },
    script: {},
    status: '5.6.7',
  },
  { title: 'REQUIRETLS and no TLS', given: { requireTls: true }, script: {}, status: '5.7.30' },
  { title: 'more bytes than the host takes', given: {}, script: { offers: ['SIZE 10'] }, status: '5.3.4' },
  ...['a\0b', 'a\rb', 'a\nb', 'x'.repeat(999)].map((body) => ({
    title: `a binary body (${JSON.stringify(body).slice(0, 9)})`,
    given: { bodyType: 'binarymime' as const, message: `From: a@sender.example\r\n\r\n${body}\r\n` },
    script: {},
    status: '5.6.1',
  })),
];
for (const { title, given, script, status } of unable) {
  test(`${title}: bounced with ${status}, the message never sent`, async (t) => {
    const { mx, world } = await meet(t, { script });
    const job = world.job(given);
    assert.equal((await world.run(job)).outcome, 'bounced');
    assert.equal(world.state(job).recipients[0]!.status, status);
    assert.equal(mx.mails.length, 0);
    assert.match(world.bounces[0]!.text, new RegExp(`Status: ${status.replaceAll('.', '\\.')}`));
  });
}

test('SMTPUTF8 asked for but not needed is no obstacle', async (t) => {
  const { world } = await meet(t);
  assert.equal((await world.run(world.job({ smtpUtf8: true }))).outcome, 'delivered');
});

test('messages to one host share a connection, with RSET if the one before was refused', async (t) => {
  const { mx, world } = await meet(t, {
    script: { answer: (line) => (line.includes('bad@') ? '550 5.1.1 no' : undefined) },
  });
  await world.run(world.job());
  await world.run(world.job({ to: ['bad@far.example'] }));
  await world.run(world.job());
  assert.equal(mx.connections(), 1);
  assert.equal(mx.mails.length, 2);
  assert.equal(mx.commands.filter((line) => line === 'RSET').length, 1);
});

test('a connection that the host closed while it was idle is replaced, and nothing is lost', async (t) => {
  const { mx, world } = await meet(t, {
    script: { answer: (line, connection) => (connection === 1 && line.includes('SIZE=5') ? 'close' : undefined) },
  });
  await world.run(world.job({ message: `From: a@sender.example\r\n\r\n${'x'.repeat(50)}\r\n` }));
  const job = world.job({ message: `From: a@sender.example\r\n\r\n${'x'.repeat(500)}\r\n` });
  assert.equal((await world.run(job)).outcome, 'delivered');
  assert.equal(mx.connections(), 2);
  assert.equal(mx.mails.length, 2);
});

test('a host that takes one recipient at a time gets the others in further transactions at once', async (t) => {
  let taken = 0;
  const script: Script = {
    answer: (line) => {
      if (line.startsWith('MAIL')) taken = 0;
      return line.startsWith('RCPT') && ++taken > 1 ? '452 4.5.3 too many recipients' : undefined;
    },
  };
  const { mx, world } = await meet(t, { script });
  assert.equal(
    (await world.run(world.job({ to: ['a@far.example', 'b@far.example', 'c@far.example'] }))).outcome,
    'delivered',
  );
  assert.deepEqual(
    mx.mails.map(({ rcpts }) => rcpts.length),
    [1, 1, 1],
  );
});

test('a large message streams, and a host that hangs up in the middle of it saying 552 is believed', async (t) => {
  const { mx, world } = await meet(t, { config: { delivery: { attemptSeconds: 20 } } });
  const message = `From: a@sender.example\r\n\r\n${`${'x'.repeat(70)}\r\n.\r\n`.repeat(40_000)}`;
  const job = world.job({ message });
  assert.equal((await world.run(job)).outcome, 'delivered');
  assert.equal(mx.mails[0]!.content, message);
  const cutter = await startMx({ answer: (line) => (line === 'DATA' ? '354 go\r\n552 5.3.4 enough' : undefined) });
  const other = deliveryWorld({ port: cutter.port });
  t.after(() => Promise.all([cutter.close(), other.close()]));
  assert.equal((await other.run(other.job({ message }))).outcome, 'bounced');
});

test('a host that greets with a refusal is told QUIT, not just left (RFC 5321 §3.1)', async (t) => {
  const { mx, world } = await meet(t, { script: { banner: '554 5.3.2 no mail here' } });
  assert.equal((await world.run(world.job())).outcome, 'bounced');
  await eventually('it heard QUIT', () => mx.commands.includes('QUIT'));
  assert.deepEqual(mx.commands, ['QUIT']);
});

for (const [size, body] of [
  ['small', 'Grüße\r\n'],
  ['large', `${'x'.repeat(998)}\r\n`.repeat(400)],
] as const) {
  test(`a ${size} message that was declared as binary and is lines all the same goes out as 8BITMIME`, async (t) => {
    const { mx, world } = await meet(t);
    const message = `From: a@sender.example\r\n\r\n${body}`;
    assert.equal((await world.run(world.job({ bodyType: 'binarymime', message }))).outcome, 'delivered');
    assert.match(mx.mails[0]!.mail, / BODY=8BITMIME/);
    assert.equal(Buffer.from(mx.mails[0]!.content, 'latin1').toString(), message);
  });
}

test('LIMITS RCPTMAX is kept', async (t) => {
  const { mx, world } = await meet(t, { script: { offers: ['LIMITS RCPTMAX=2', 'PIPELINING'] } });
  await world.run(world.job({ to: ['a@far.example', 'b@far.example', 'c@far.example'] }));
  assert.deepEqual(
    mx.mails.map(({ rcpts }) => rcpts.length),
    [2, 1],
  );
});

test('a host that takes so many messages a connection (LIMITS MAILMAX) gets the rest over others, in one attempt', async (t) => {
  const offers = ['LIMITS MAILMAX=2 RCPTMAX=1', 'PIPELINING'];
  const { mx, world } = await meet(t, { script: { offers } });
  const job = world.job({ to: ['a@far.example', 'b@far.example', 'c@far.example'] });
  assert.equal((await world.run(job)).outcome, 'delivered');
  assert.equal(mx.connections(), 2);
  assert.equal((await world.run(world.job())).outcome, 'delivered');
  assert.equal((await world.run(world.job())).outcome, 'delivered');
  assert.equal(mx.connections(), 3, 'what a connection still may carry is kept count of from job to job');
  assert.equal(world.state(job).attempts[0]!.hosts[0]!.recipients.length, 3);
});

test('421 between two transactions of one message is followed by the rest over another connection, each once', async (t) => {
  const mails = new Map<number, number>();
  const { mx, world } = await meet(t, {
    script: {
      offers: ['LIMITS RCPTMAX=1'],
      answer: (line, connection) => {
        if (!line.startsWith('MAIL')) return undefined;
        mails.set(connection, (mails.get(connection) ?? 0) + 1);
        return mails.get(connection)! > 2 ? '421 4.7.0 enough' : undefined;
      },
    },
  });
  const to = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}@far.example`);
  assert.equal((await world.run(world.job({ to }))).outcome, 'delivered');
  assert.deepEqual(
    mx.mails.flatMap(({ rcpts }) => rcpts).map((line) => /<(.+)>/.exec(line)?.[1] ?? line),
    to,
  );
  assert.equal(mx.connections(), 3);
});

test('a host that is slow after each of many transactions does not stretch the attempt beyond its time', async (t) => {
  const accept = () => new Promise<string>((resolve) => setTimeout(resolve, 400, '250 2.0.0 taken'));
  const { mx, world } = await meet(t, { ...quick, script: { offers: ['LIMITS RCPTMAX=1'], accept } });
  const job = world.job({ to: Array.from({ length: 9 }, (_, n) => `r${n}@far.example`) });
  assert.equal((await world.run(job)).outcome, 'deferred');
  const states = world.state(job).recipients.map(({ state }: { state: string }) => state);
  assert.equal(
    states.filter((state: string) => state === 'delivered').length,
    mx.mails.length,
    'nothing is sent twice',
  );
  assert.ok(mx.mails.length >= 1 && mx.mails.length <= 6, `${mx.mails.length} in one second`);
});

test('an answer that does not fit its question is told as that, not as the peer saying "later"', async (t) => {
  const { world } = await meet(t, { script: { answer: (line) => (line === 'DATA' ? '250 what' : undefined) } });
  const job = world.job();
  await world.run(job);
  assert.equal(
    world.state(job).recipients[0]!.reason,
    'far.example: its answer does not fit what it was asked: 250 what',
  );
});

test('an address that could break out of its command is never sent', async (t) => {
  const { mx, world } = await meet(t);
  const job = world.job({ to: ['b@far.example'] });
  const recipients = [{ ...job.envelope.recipients[0]!, forwardPath: 'b@far.example>\r\nRCPT TO:<c@far.example' }];
  assert.equal((await world.run(withEnvelope(job, { recipients }))).outcome, 'bounced');
  assert.deepEqual(mx.commands, ['EHLO mx.pillarbox.example']);
});

const certificates = generate([{ name: 'commonName', value: 'mx.far.example' }], {
  extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'mx.far.example' }] }],
});
const mxZone = {
  'far.example': { MX: [{ priority: 1, exchange: 'mx.far.example' }] },
  'mx.far.example': { A: ['127.0.0.1'] },
};

test('STARTTLS is used if it is offered, with a certificate nobody knows', async (t) => {
  const { cert, private: key } = await certificates;
  const { mx, world } = await meet(t, { script: { certificate: { cert, key } }, zone: mxZone });
  const job = world.job();
  assert.equal((await world.run(job)).outcome, 'delivered');
  const { tls } = world.state(job).attempts[0]!.hosts[0]!;
  assert.match(tls!.version, /^TLSv1\.[23]$/);
  assert.notEqual(tls!.problem, null);
  assert.equal(mx.commands.filter((line) => line.startsWith('EHLO')).length, 2);
});

test('a host that offers STARTTLS and then refuses it gets the mail in clear, which the history says', async (t) => {
  const answer = (line: string) => (line === 'STARTTLS' ? '454 4.7.0 not today' : undefined);
  const { world } = await meet(t, { script: { offers: ['STARTTLS'], answer } });
  const job = world.job();
  assert.equal((await world.run(job)).outcome, 'delivered');
  assert.match(world.state(job).attempts[0]!.hosts[0]!.reason!, /^sent in clear, .*454 4\.7\.0 not today/);
});

test('a TLS handshake that fails is followed by mail in clear, which the history says; if TLS is required the mail waits', async (t) => {
  const script: Script = {
    offers: ['STARTTLS'],
    answer: (line) => (line === 'STARTTLS' ? '220 go\r\nnot TLS at all' : undefined),
  };
  const { mx, world } = await meet(t, { script });
  const job = world.job();
  assert.equal((await world.run(job)).outcome, 'delivered');
  assert.equal(mx.connections(), 2);
  const reason = world.state(job).attempts[0]!.hosts[0]!.reason!;
  assert.match(reason, /in clear/);
  assert.doesNotMatch(reason, /\n|openssl\//, 'in words, not in lines of a library');
  const strict = deliveryWorld({ port: mx.port, config: { delivery: { tls: 'required', attemptSeconds: 1 } } });
  t.after(strict.close);
  assert.equal((await strict.run(strict.job())).outcome, 'deferred');
  mx.script = {};
  assert.equal((await strict.runNext()).outcome, 'deferred', 'no STARTTLS offered');
  assert.equal(mx.mails.length, 1);
});

for (const { trusted, outcome } of [
  { trusted: true, outcome: 'delivered' },
  { trusted: false, outcome: 'deferred' },
]) {
  test(`if the policy asks for a verified certificate, one that is ${trusted ? 'proven is delivered to' : 'not proven gets nothing, and the history says why'}`, async (t) => {
    const { cert, private: key } = await certificates;
    const { mx, world } = await meet(t, {
      script: { certificate: { cert, key } },
      zone: mxZone,
      config: { delivery: { tls: 'verified' } },
      connections: trusted ? { trustedCertificates: [cert] } : {},
    });
    const job = world.job();
    assert.equal((await world.run(job)).outcome, outcome);
    assert.equal(mx.mails.length, trusted ? 1 : 0);
    if (!trusted) assert.match(world.state(job).attempts[0]!.hosts[0]!.reason!, /certificate is not to be trusted/);
  });
}

for (const { trusted, outcome } of [
  { trusted: true, outcome: 'delivered' },
  { trusted: false, outcome: 'bounced' },
]) {
  test(`REQUIRETLS with a certificate that is ${trusted ? 'proven: the host is told' : 'not proven: bounced with 5.7.30'}`, async (t) => {
    const { cert, private: key } = await certificates;
    const { mx, world } = await meet(t, {
      script: { certificate: { cert, key }, offers: ['REQUIRETLS'] },
      zone: mxZone,
      connections: trusted ? { trustedCertificates: [cert] } : {},
    });
    const job = world.job({ requireTls: true });
    assert.equal((await world.run(job)).outcome, outcome);
    assert.equal(
      mx.commands.some((line) => / REQUIRETLS$/.test(line)),
      trusted,
    );
    assert.equal(world.state(job).recipients[0]!.status, trusted ? '2.0.0' : '5.7.30');
    if (!trusted) assert.equal(world.bounces[0]!.job.envelope.requireTls, true, 'the report is as well protected (§5)');
  });
}

for (const { title, names, trusted, outcome } of [
  { title: 'the certificate is proven', names: ['mx.far.example'], trusted: true, outcome: 'delivered' },
  { title: 'the certificate is not proven', names: ['mx.far.example'], trusted: false, outcome: 'deferred' },
  { title: 'the policy names another host', names: ['other.far.example'], trusted: true, outcome: 'deferred' },
]) {
  test(`under an MTA-STS policy in force, if ${title}: ${outcome} (RFC 8461 §5)`, async (t) => {
    const { cert, private: key } = await certificates;
    const fetched: string[] = [];
    const text = `version: STSv1\nmode: enforce\n${names.map((name) => `mx: ${name}\n`).join('')}max_age: 86400\n`;
    const fetchPolicy: FetchPolicy = async ({ host, addresses, port }) => {
      fetched.push(`${host} ${addresses} ${port}`);
      return { outcome: 'file', text };
    };
    const policyHost = { 'mta-sts.far.example': { A: ['127.0.0.9'] } };
    const zone = { ...mxZone, ...policyHost, '_mta-sts.far.example': { TXT: ['v=STSv1; id=1;'] } };
    const { mx, world } = await meet(t, {
      script: { certificate: { cert, key } },
      zone,
      fetchPolicy,
      connections: trusted ? { trustedCertificates: [cert] } : {},
    });
    assert.equal((await world.run(world.job())).outcome, outcome);
    assert.deepEqual(fetched, ['mta-sts.far.example 127.0.0.9 443']);
    assert.equal(mx.mails.length, outcome === 'delivered' ? 1 : 0);
    await world.run(world.job());
    assert.equal(fetched.length, 1, 'the policy is kept');
  });
}

for (const { tls, mechanisms } of [
  { tls: 'starttls' as const, mechanisms: 'PLAIN LOGIN' },
  { tls: 'implicit' as const, mechanisms: 'LOGIN' },
]) {
  test(`a smarthost is logged in to with AUTH ${mechanisms} under TLS (${tls})`, async (t) => {
    const { cert, private: key } = await certificates;
    const mx = await startMx({
      certificate: { cert, key },
      implicitTls: tls === 'implicit',
      offers: [`AUTH ${mechanisms}`],
      answer: (line) => {
        if (line.startsWith('AUTH PLAIN')) return '235 2.7.0 in';
        if (line === 'AUTH LOGIN') return '334 VXNlcm5hbWU6';
        if (line === Buffer.from('app').toString('base64')) return '334 UGFzc3dvcmQ6';
        return line === Buffer.from('s3cret').toString('base64') ? '235 in' : undefined;
      },
    });
    const smarthost = { host: '127.0.0.1', port: mx.port, tls, user: 'app', password: 'secret:smarthost' };
    const world = deliveryWorld({
      zone: {},
      config: { delivery: { mode: 'smarthost', smarthost, allowPrivateTargets: false } },
      secrets: { 'secret:smarthost': 's3cret\n' },
    });
    t.after(() => Promise.all([mx.close(), world.close()]));
    assert.equal((await world.run(world.job())).outcome, 'delivered');
    assert.equal(
      mx.commands.indexOf('MAIL FROM:<a@sender.example>') > mx.commands.findIndex((line) => line.startsWith('AUTH')),
      true,
    );
  });
}

const outside = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === 'IPv4' && !address.internal)?.address;

const noOther = outside === undefined && 'this machine has no other address';

test('what is called localhost and is not is told no password in clear', { skip: noOther }, async (t) => {
  const mx = await startMx({ offers: ['AUTH PLAIN LOGIN'], host: outside ?? '' });
  const connections = createConnectionPool();
  t.after(() => Promise.all([mx.close(), connections.close()]));
  const opened = await connections.acquire({
    endpoint: { host: 'localhost', ip: outside ?? '', port: mx.port },
    clientName: 'mx.sender.example',
    tls: 'never',
    implicitTls: false,
    login: { user: 'app', password: 's3cret' },
    timeouts: timeoutsOf(30),
    deadline: performance.now() + 30_000,
    fresh: true,
    destination: 'smarthost localhost',
    limit: 5,
    onSlow: () => undefined,
  });
  assert.ok(opened.outcome === 'failed');
  assert.match(opened.reason, /the password is not sent/);
  assert.deepEqual(
    mx.commands.filter((line) => !/^(EHLO|QUIT)/.test(line)),
    [],
  );
});

test('a smarthost from whose EHLO STARTTLS was taken is told no password, and the mail waits', async (t) => {
  const mx = await startMx({ offers: ['AUTH PLAIN'] });
  const smarthost = { host: '127.0.0.1', port: mx.port, tls: 'starttls' as const, user: 'app', password: 'secret:p' };
  const world = deliveryWorld({
    zone: {},
    config: { delivery: { mode: 'smarthost', smarthost } },
    secrets: { 'secret:p': 's3cret' },
  });
  t.after(() => Promise.all([mx.close(), world.close()]));
  assert.equal((await world.run(world.job())).outcome, 'deferred');
  assert.ok(mx.commands.every((line) => /^(EHLO|QUIT)/.test(line)));
});
