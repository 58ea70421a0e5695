import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { judgeSubmission, mayWriteAs } from '#container/intake/submission-rules.ts';
import { parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import { hashPassword } from '#pipeline/config/password.ts';
import type { SuppressionLookup } from '#pipeline/contract/records/suppression-lookup.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { oldHash, openSesameHash } from '#test/support/samples/password-hashes.ts';
import { until } from '#test/support/time/until.ts';
import {
  logIn,
  openSession,
  type RawClient,
  startTestListener,
  type TestListener,
  testConfig,
} from '#test/support/worlds/start-test-listener.ts';

const deadOnly =
  (reason: string): SuppressionLookup =>
  async ({ localPart }) =>
    localPart === 'dead' ? { outcome: 'suppressed', reason } : { outcome: 'written' };

const users = [{ name: 'app@example.test', password: openSesameHash, mayFrom: ['*@example.test'] }];
const listener = await startTestListener(
  { after },
  { ...testConfig, users },
  { suppressions: deadOnly('550 5.1.1 no such user (2026-11-20)') },
);

async function loggedIn(t: TestContext, at: TestListener = listener): Promise<RawClient> {
  const client = await openSession(t, at, { role: 'submissions' });
  assert.match(await logIn(client), /^235/);
  return client;
}

async function submit(client: RawClient, message: string, from = 'app@example.test'): Promise<string> {
  client.write(`MAIL FROM:<${from}>\r\nRCPT TO:<x@elsewhere.test> NOTIFY=SUCCESS\r\nDATA\r\n`);
  for (let replies = 0; replies < 3; replies++) assert.match((await client.reply()) ?? '', /^[23]5/);
  client.write(`${message}.\r\n`);
  return (await client.reply()) ?? 'closed';
}

test('a submitted message for the outside is a relay job of its user, behind a field that says ESMTPSA', async (t) => {
  const client = await loggedIn(t);
  const sent = 'From: app@example.test\r\nDate: x\r\nMessage-ID: <1@x>\r\n\r\nhi\r\n';
  assert.match(await submit(client, sent), /^250 2\.6\.0/);
  const message = listener.intake.messages.at(-1);
  assert.equal(message?.job.envelope.session.user, 'app@example.test');
  assert.equal(message?.job.envelope.session.role, 'submissions');
  assert.match(message?.job.envelope.session.tls?.version ?? '', /^TLSv1\.[23]$/);
  assert.deepEqual(message?.job.envelope.recipients, [
    { forwardPath: 'x@elsewhere.test', dsn: { notify: ['success'], orcpt: null }, route: { kind: 'relay' } },
  ]);
  assert.match(message?.raw.toString() ?? '', /^Received: [^:]*with\s+ESMTPSA/);
  assert.ok(message?.raw.toString().endsWith(`\r\n${sent}`));
});

test('a password hash may be kept as a secret, which is read at each log-in', async (t) => {
  let hash = openSesameHash;
  const read = async (reference: string) =>
    reference === 'secret:user-app' ? hash : Promise.reject(new Error('none'));
  const names = ['app@example.test', 'other@example.test'];
  const kept = names.map((name, index) => ({
    name,
    password: ['secret:user-app', 'secret:gone'][index] ?? '',
    mayFrom: ['*@example.test'],
  }));
  const own = await startTestListener(t, { ...testConfig, users: kept }, { secrets: { read } });
  const logInAs = async (name: string) => logIn(await openSession(t, own, { role: 'submissions' }), name);
  assert.match((await logInAs('app@example.test')) ?? '', /^235/);
  hash = await hashPassword('another');
  assert.match((await logInAs('app@example.test')) ?? '', /^535/);
});

test('a user whose secret is gone or holds no hash is told 454, health says whose it is and why, until it is mended', async (t) => {
  const secrets = new Map([['secret:garbled', 'open sesame']]);
  const read = async (reference: string) => secrets.get(reference) ?? Promise.reject(new Error(`no ${reference}`));
  const names = ['gone@example.test', 'garbled@example.test'];
  const users = names.map((name) => ({ name, password: `secret:${name.split('@')[0]}`, mayFrom: ['*@example.test'] }));
  const counted: unknown[] = [];
  const metrics = { count: (name: string, labels?: object) => counted.push([name, labels]), measure: () => {} };
  const own = await startTestListener(t, { ...testConfig, users }, { secrets: { read }, metrics } as never);
  const logInAs = async (name: string) => logIn(await openSession(t, own, { role: 'submissions' }), name);
  for (const name of [...names, ...names]) assert.match((await logInAs(name)) ?? '', /^454 4\.7\.0 /);
  assert.match((await logInAs('nobody@example.test')) ?? '', /^535/);
  assert.equal(own.listener.health().usersShutOut, 2);
  assert.deepEqual(own.listener.health().problems, [
    'gone@example.test cannot log in until this is mended: no secret:gone',
    'garbled@example.test cannot log in until this is mended: secret "secret:garbled" holds no password hash',
  ]);
  assert.deepEqual(
    own.log.of('user-secret-not-usable').map(({ fields }) => fields['user']),
    names,
    'once each',
  );
  assert.ok(counted.some((one) => JSON.stringify(one) === '["own-faults",{"kind":"secret"}]'));
  const hash = openSesameHash;
  for (const name of names) secrets.set(`secret:${name.split('@')[0]}`, hash);
  assert.match((await logInAs('gone@example.test')) ?? '', /^235/);
  // Of the other nobody asks but health itself.
  await until(() => own.listener.health().problems.length === 0, 'health finds it mended');
});

test('an old hash that cannot be replaced lets its user in all the same; who runs this is told once, and it is counted', async (t) => {
  const metrics = noMetrics();
  const old = [{ name: 'app@example.test', password: oldHash('open sesame'), mayFrom: ['*@example.test'] }];
  const replaceHash = () => Promise.reject(new Error('EROFS: read-only file system'));
  const own = await startTestListener(t, { ...testConfig, users: old }, { metrics, replaceHash });
  for (let count = 0; count < 2; count++) await loggedIn(t, own);
  const told = own.log.of('password-hash-old');
  assert.deepEqual(
    told.map(({ fields }) => [fields['user'], fields['reason']]),
    [['app@example.test', 'EROFS: read-only file system']],
  );
  assert.equal(metrics.total('old-password-hashes'), 1);
});

test('each failed log-in makes the next one from that address wait longer, on other connections too', async (t) => {
  const own = await startTestListener(t, { ...testConfig, users });
  const logIns = async (passwords: readonly string[]): Promise<number> => {
    const client = await openSession(t, own, { role: 'submissions' });
    const from = performance.now();
    for (const password of passwords) {
      await logIn(client, 'app@example.test', password);
    }
    return performance.now() - from;
  };
  assert.ok((await logIns(['a', 'b', 'c'])) >= 295, '0, 100 and 200 ms');
  assert.ok((await logIns(['open sesame'])) >= 395, '400 ms, though the password is right');
});

test('a suppressed address is refused with its reason', async (t) => {
  const client = await loggedIn(t);
  await client.say('MAIL FROM:<app@example.test>');
  assert.match(await client.say('RCPT TO:<dead@elsewhere.test>'), /^550 5\.1\.1 .*no such user \(2026-11-20\)/);
});

test('an alias that leads to suppressed addresses alone is refused too, to strangers as well; with another way left it is not', async (t) => {
  const aliases = { gone: ['dead@elsewhere.test'], some: ['dead@elsewhere.test', 'boss@elsewhere.test'] };
  const domains = {
    'example.test': { mailboxes: ['support'], aliases: { ...aliases, kept: ['dead@elsewhere.test', 'support'] } },
  };
  const other = await startTestListener(
    t,
    { ...testConfig, domains },
    { suppressions: deadOnly('550 5.1.1 <dead@elsewhere.test>: no such user') },
  );
  const client = await openSession(t, other);
  await client.say('MAIL FROM:<a@stranger.test>');
  const said = await client.say('RCPT TO:<gone@example.test>');
  assert.match(said, /^550 5\.1\.1 /);
  assert.doesNotMatch(said, /elsewhere|dead|suppress/, "where an alias leads is nobody else's business");
  assert.match(await client.say('RCPT TO:<some@example.test>'), /^250/);
  assert.match(await client.say('RCPT TO:<kept@example.test>'), /^250/);
});

test('each user has a rate', async (t) => {
  const slow = await startTestListener(t, { ...testConfig, users, limits: { messagesPerMinutePerUser: 1 } });
  const client = await loggedIn(t, slow);
  assert.match(await submit(client, 'hi\r\n'), /^250/);
  assert.match(await client.say('MAIL FROM:<app@example.test>'), /^450 4\.7\.1/);
});

test('a forged From is refused at the end of the message, and the session goes on', async (t) => {
  const client = await loggedIn(t);
  const before = listener.intake.messages.length;
  assert.match(await submit(client, 'From: Boss <boss@elsewhere.test>\r\n\r\nhi\r\n'), /^550 5\.7\.1/);
  assert.match(await submit(client, `Subject: x\r\nX: ${'y'.repeat(1_100_000)}\r\n\r\nhi\r\n`), /^552 5\.3\.4/);
  assert.equal(listener.intake.messages.length, before);
  assert.match(await submit(client, 'From: app@example.test\r\n\r\nhi\r\n'), /^250/);
});

test('in capture mode without users any name and password will do', async (t) => {
  const capture = await startTestListener(t, { mode: 'capture' });
  const client = await loggedIn(t, capture);
  assert.match(await submit(client, 'From: who@ever.test\r\n\r\nhi\r\n', 'who@ever.test'), /^250/);
  assert.equal(capture.intake.messages[0]?.job.envelope.recipients[0]?.route.kind, 'mailbox');
});

const ok = 'From: app@example.test\r\n';
const dated = 'Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <a@b.test>\r\n';
const headers: readonly {
  readonly header: string;
  readonly from?: string;
  readonly prepend?: RegExp;
  readonly refused?: string;
}[] = [
  { header: `${ok}${dated}\r\n`, prepend: /^$/ },
  { header: `${ok}\r\n`, prepend: /^Date: .*\r\nMessage-ID: <ID@mx\.example\.test>\r\n$/ },
  { header: `${dated}Subject: x\r\n\r\n`, prepend: /^From: <app@example\.test>\r\n$/ },
  { header: `${dated}Subject: x\r\n\r\n`, from: '', refused: '5.6.0' },
  { header: 'just text\r\n', prepend: /^Date: .*\r\nMessage-ID: .*\r\nFrom: .*\r\n\r\n$/ },
  { header: '\r\n', prepend: /^Date: .*\r\nMessage-ID: .*\r\nFrom: .*\r\n$/ },
  { header: '', prepend: /^Date: .*\r\nMessage-ID: .*\r\nFrom: .*\r\n\r\n$/ },
  { header: `From: boss@elsewhere.test\r\n${dated}\r\n`, refused: '5.7.1' },
  { header: `${ok}${ok}\r\n`, refused: '5.6.0' },
  { header: `${ok}fRoM : boss@elsewhere.test\r\n\r\n`, refused: '5.6.0' },
  { header: 'From: app@example.test, boss@elsewhere.test\r\n\r\n', refused: '5.7.1' },
  { header: 'From: "app@example.test" <boss@elsewhere.test>\r\n\r\n', refused: '5.7.1' },
  { header: 'From: app@example.test (x),\r\n boss@elsewhere.test\r\n\r\n', refused: '5.7.1' },
  { header: 'From: <app@example.test> <boss@elsewhere.test>\r\n\r\n', refused: '5.7.1' },
  { header: 'From: group:;\r\n\r\n', refused: '5.6.0' },
  { header: `${ok}Fr\0om: boss@elsewhere.test\r\n\r\n`, refused: '5.6.0' },
  { header: `${ok}${dated}\r\n\0`, prepend: /^$/ },
  { header: `${ok}Sender: boss@elsewhere.test\r\n\r\n`, refused: '5.7.1' },
  { header: `${ok}${dated}Sender: Team <team@example.test>\r\n\r\n`, prepend: /^$/ },
  // What would continue the field that is put before it, or be put before it, or part it in two.
  { header: ` <boss@elsewhere.test>\r\n${dated}\r\n`, refused: '5.6.0' },
  { header: `\tboss@elsewhere.test\r\n\r\n`, refused: '5.6.0' },
  { header: ' \r\n\r\n', refused: '5.6.0' },
  { header: `garbage\r\n${ok}${dated}\r\n`, refused: '5.6.0' },
  { header: `${ok}: x\r\n${dated}\r\n`, refused: '5.6.0' },
  { header: `From boss@elsewhere.test Sat Nov 21\r\n${ok}\r\n`, refused: '5.6.0' },
  { header: `\r\nFrom: boss@elsewhere.test\r\n\r\n`, prepend: /^Date: .*\r\nMessage-ID: .*\r\nFrom: <app.*\r\n$/ },
  { header: `From : app@example.test\r\n${dated}\r\n`, refused: '5.7.1' },
  { header: `${ok}Subject : x\r\n${dated}\r\n`, prepend: /^$/ },
  { header: `From:\r\n\t\r\n app@example.test\r\n\r\n`, refused: '5.7.1' },
  { header: `${ok}X: y\rFrom: boss@elsewhere.test\r\n\r\n`, refused: '5.6.11' },
  { header: `${ok}X: y\nFrom: boss@elsewhere.test\r\n\r\n`, refused: '5.6.11' },
  { header: `${ok}X: y\x0bFrom: boss@elsewhere.test\r\n\r\n`, refused: '5.6.0' },
  { header: `${ok}${'X: y\r\n'.repeat(9_999)}From: boss@elsewhere.test\r\n\r\n`, refused: '5.3.4' },
  { header: `${ok}${dated}${'X: y\r\n'.repeat(997)}\r\n`, prepend: /^$/ },
  // A second author behind a name.
  { header: 'From: "boss@elsewhere.test" <app@example.test>\r\n\r\n', refused: '5.7.1' },
  { header: 'From: app@example.test (boss@elsewhere.test)\r\n\r\n', refused: '5.7.1' },
  { header: 'From: =?utf-8?q?boss=40elsewhere.test?= <app@example.test>\r\n\r\n', refused: '5.7.1' },
  { header: 'From: boss@elsewhere.test:app@example.test;\r\n\r\n', refused: '5.7.1' },
  { header: `From: ${'app@example.test,'.repeat(100)}app@example.test\r\n\r\n`, refused: '5.7.1' },
  { header: `From: "'app@example.test'" <app@example.test>\r\n${dated}\r\n`, prepend: /^$/ },
  { header: `${ok}Sender: app@example.test\r\nSender: team@example.test\r\n\r\n`, refused: '5.6.0' },
  { header: `Resent-From: boss@elsewhere.test\r\n${ok}\r\n`, refused: '5.7.1' },
  { header: `Resent-From: team@example.test\r\n${ok}${dated}\r\n`, prepend: /^$/ },
  { header: `Author: boss@elsewhere.test\r\n${ok}\r\n`, refused: '5.7.1' },
  { header: `Reply-To: boss@elsewhere.test\r\n${ok}${dated}\r\n`, prepend: /^$/ },
];

for (const { header, from = 'app@example.test', prepend, refused } of headers) {
  test(`${JSON.stringify(header.slice(0, 200))} by app@example.test is ${refused === undefined ? 'accepted' : `refused with ${refused}`}`, () => {
    const verdict = judgeSubmission(Buffer.from(header), {
      mayFrom: ['app@example.test', 'team@example.test'],
      reversePath: from,
      id: 'ID',
      hostname: 'mx.example.test',
      nowMs: 0,
    });
    if (verdict.outcome === 'refused') assert.equal(verdict.reply.enhanced, refused);
    else {
      const leaves = verdict.header.toString();
      assert.ok(leaves.endsWith(header));
      assert.match(leaves.slice(0, leaves.length - header.length), prepend ?? /never/);
    }
  });
}

test('hidden recipients are taken out however the message comes: in single octets, in chunks, as binary; a body that looks like a header stays', async (t) => {
  const client = await loggedIn(t);
  const sent = `${ok}Bcc: one@secret.test,\r\n two@secret.test\r\n${dated}\r\nBcc: body\r\n.dot\r\n`;
  const leaves = `\r\n${ok}${dated}\r\nBcc: body\r\n.dot\r\n`;
  const begin = async (parameters = ''): Promise<void> => {
    await client.say(`MAIL FROM:<app@example.test>${parameters}`);
    assert.match(await client.say('RCPT TO:<x@elsewhere.test>'), /^250/);
  };
  const seen = () => listener.intake.messages.at(-1)?.raw.toString() ?? '';
  await begin();
  await client.say('DATA');
  client.socket().setNoDelay(true);
  for (const octet of sent.replace('\r\n.dot', '\r\n..dot')) client.write(octet);
  assert.match(await client.say('.'), /^250/);
  assert.ok(seen().endsWith(leaves), seen());
  await begin(' BODY=BINARYMIME');
  for (const [from, to] of [
    [0, 30],
    [30, 70],
  ] as const) {
    client.write(`BDAT ${to - from}\r\n${sent.slice(from, to)}`);
    assert.match((await client.reply()) ?? '', /^250/);
  }
  client.write(`BDAT ${sent.length - 70} LAST\r\n${sent.slice(70)}`);
  assert.match((await client.reply()) ?? '', /^250/);
  assert.ok(seen().endsWith(leaves), seen());
});

test('where bare line endings are allowed, a header is judged with those that it will leave with', async (t) => {
  const own = await startTestListener(t, { ...testConfig, users, limits: { bareLineFeeds: 'accept' } });
  const client = await loggedIn(t, own);
  for (const end of ['\r', '\n', '\r\n']) {
    const forged = `${ok}X: y${end}From: boss@elsewhere.test\r\n\r\nhi\r\n`;
    assert.match(await submit(client, forged), /^550 5\.6\.0/);
    const plain = `From: app@example.test${end}Bcc: one@secret.test${end}${end}hi${end}\r\n`;
    assert.match(await submit(client, plain), /^250/);
    assert.doesNotMatch(own.intake.messages.at(-1)?.raw.toString() ?? '', /secret/);
  }
});

test('what a user writes of hidden recipients and of the return path leaves with no message: all such fields, whatever their case', () => {
  const secret = 'Bcc: one@secret.test,\r\n two@secret.test\r\n';
  const more = 'RESENT-BCC: three@secret.test\r\nreturn-path: <four@secret.test>\r\nbCC : five@secret.test\r\nBcc:\r\n';
  const kept = `${dated}X-Bcc: kept\r\nTo: all@elsewhere.test\r\n`;
  for (const [header, leaves] of [
    [`${secret}${ok}${more}${kept}${secret}\r\n`, `${ok}${kept}\r\n`],
    [`${secret}${ok}${kept}${more}`, `${ok}${kept}`],
    [`${ok}${kept}Bcc: one@secret.test`, `${ok}${kept}`],
    [`${ok}${kept}\r\nBcc: part of the body\r\n`, `${ok}${kept}\r\nBcc: part of the body\r\n`],
  ] as const) {
    const facts = { reversePath: '', id: 'ID', hostname: 'mx.example.test', nowMs: 0 };
    const verdict = judgeSubmission(Buffer.from(header), { mayFrom: ['app@example.test'], ...facts });
    assert.equal(verdict.outcome === 'accepted' ? verdict.header.toString() : verdict.reply.text, leaves);
  }
});

for (const [pattern, address, allowed] of [
  ['*@example.test', 'any@EXAMPLE.test', true],
  ['*@example.test', 'any@sub.example.test', false],
  ['*@example.test', 'any@notexample.test', false],
  ['*@*.example.test', 'any@sub.example.test', true],
  ['*@*.example.test', 'any@example.test', false],
  ['App@Example.test', 'aPP@example.test', true],
  ['app@example.test', 'app+x@example.test', false],
  ['"odd one"@example.test', '"odd one"@example.test', true],
  ['*@bücher.test', 'any@xn--bcher-kva.test', true],
  ['*@*', 'any@where.test', true],
] as const) {
  test(`${pattern} ${allowed ? 'covers' : 'does not cover'} ${address}`, () => {
    const parsed = parseAddress(address);
    assert.ok(!isProblem(parsed));
    assert.equal(mayWriteAs([pattern], parsed), allowed);
  });
}
