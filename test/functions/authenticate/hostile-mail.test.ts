// Mail made to hurt: whatever it is, the stage answers in bounded time and memory, and never throws.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resolve } from '#pipeline/contract/ports.ts';
import type { Zone } from '#test/support/fakes/zone-resolver.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';
import { judge, plainMessage, runStage } from './run-stage.ts';

const signature = (n: number, more = ''): string =>
  `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=forged${n}.test; s=s${n}; h=from:to; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA${more}\r\n`;
const seal = (n: number): string =>
  [
    `ARC-Seal: i=${n}; a=rsa-sha256; cv=${n === 1 ? 'none' : 'pass'}; d=a${n}.test; s=s; b=AAAA\r\n`,
    `ARC-Message-Signature: i=${n}; a=rsa-sha256; d=a${n}.test; s=s; h=from; bh=AAAA; b=AAAA\r\n`,
    `ARC-Authentication-Results: i=${n}; mx.test; spf=pass\r\n`,
  ].join('');
const times = (count: number, make: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => make(n)).join('');

const hostile: readonly { readonly title: string; readonly message: () => string | Uint8Array }[] = [
  { title: '200 forged signatures', message: () => times(200, (n) => signature(n)) + plainMessage },
  {
    title: 'a signed body of one line of 20 MB',
    message: () => `${times(10, (n) => signature(n, `; l=${n}`))}${plainMessage}${'x'.repeat(2e7)}`,
  },
  { title: '10,000 empty signature fields', message: () => 'DKIM-Signature: a\r\n'.repeat(9_000) + plainMessage },
  { title: '5,000 signature fields', message: () => times(5_000, (n) => signature(n)) + plainMessage },
  { title: 'a header of 5 MB in one field', message: () => `X-Big: ${'x'.repeat(5e6)}\r\n${plainMessage}` },
  {
    title: 'a header of 5 MB in a million lines',
    message: () => `X-Big: x\r\n${' x\r\n'.repeat(1_250_000)}${plainMessage}`,
  },
  {
    title: 'a header of a hundred thousand fields',
    message: () => times(100_000, (n) => `X-${n}: y\r\n`) + plainMessage,
  },
  {
    title: 'a signed header of 9,000 folded lines',
    message: () => `${signature(1)}X-Big: x\r\n${' x\r\n'.repeat(9_000)}${plainMessage}`,
  },
  {
    title: '100,000 recipients in To',
    message: () => `To: ${'a@b.test,\r\n '.repeat(100_000)}c@d.test\r\n${plainMessage}`,
  },
  {
    title: '100,000 authors in From',
    message: () => `From: ${times(100_000, (n) => `a@b${n}.test,\r\n `)}c@d.test\r\n\r\n`,
  },
  {
    title: '1,000 authors in a From that is looked at',
    message: () => `From: ${times(1_000, (n) => `a@b${n}.test,`)}c@d.test\r\n\r\n`,
  },
  {
    title: 'a signature that covers ten thousand fields',
    message: () => signature(1).replace('from:to', 'from:'.repeat(10_000)) + plainMessage,
  },
  {
    title: 'ten signatures with long h= over two thousand fields',
    message: () =>
      times(10, (n) => signature(n).replace('from:to', `${'a:'.repeat(3_500)}from`)) +
      times(2_000, (n) => `X${n}: y\r\n`) +
      plainMessage,
  },
  { title: 'an ARC chain of fifty sets', message: () => times(50, (n) => seal(n + 1)) + plainMessage },
  { title: 'an ARC chain of a thousand sets, all i=1', message: () => times(1_000, () => seal(1)) + plainMessage },
  {
    title: 'ARC instances that are no numbers',
    message: () => `ARC-Seal: i=99999999999999999999; b=x\r\nARC-Seal: i=-1\r\nARC-Seal:\r\n${plainMessage}`,
  },
  {
    title: 'signature fields without any sense',
    message: () =>
      `DKIM-Signature:\r\nDKIM-Signature: ;;;=;=;\r\nDKIM-Signature: v=1; __proto__=x; d=; s=\r\n${plainMessage}`,
  },
  {
    title: 'NUL and 8-bit in the header',
    message: () =>
      Buffer.concat([
        Buffer.from([0, 255, 254, 58, 13, 10]),
        Buffer.from(signature(1) + plainMessage),
        Buffer.from([0, 255]),
      ]),
  },
  { title: 'nothing at all', message: () => '' },
  { title: 'a body without a header', message: () => '\r\nbody' },
  { title: 'a header without an end', message: () => `${signature(1)}From: a@b.test` },
  { title: 'only bare line feeds', message: () => `${signature(1)}From: a@b.test\n\n${'\n'.repeat(100_000)}x` },
  {
    title: 'a body of half a million empty lines',
    message: () => `${signature(1)}${plainMessage}${'\r\n'.repeat(500_000)}`,
  },
  {
    title: 'a body of one line of three million spaces',
    message: () => `${signature(1)}${plainMessage}${' '.repeat(3e6)}x`,
  },
  {
    title: 'a Content-Type of 200 KB',
    message: () =>
      `${signature(1)}Content-Type: multipart/mixed;${times(20_000, (n) => ` a*${n}=b;`)} boundary=x\r\n${plainMessage}`,
  },
];

const zone: Zone = {
  '*.test': { TXT: ['v=spf1 -all'] },
  's1._domainkey.forged1.test': { TXT: [`v=DKIM1; p=${'A'.repeat(20_000)}`] },
  's2._domainkey.forged2.test': { TXT: ['v=DKIM1; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A'] },
  's3._domainkey.forged3.test': { TXT: ['v=DKIM1; k=ed25519; p=AAAA'] },
  's4._domainkey.forged4.test': { TXT: ['\u0000\u0001;;;'] },
};

for (const { title, message } of hostile) {
  test(`${title}: judged and handed on within 5 s`, async () => {
    const elapsedMs = stopwatch();
    const { outcome, jobs } = await runStage({
      message: message(),
      zone,
      config: { dns: { temperrorRetrySeconds: [] } },
    });
    const tookMs = elapsedMs();
    assert.equal(outcome.outcome, 'handed-on');
    assert.ok(tookMs < 5_000, `${Math.round(tookMs)} ms`);
    for (const { job } of jobs.sent) assert.ok(Buffer.byteLength(JSON.stringify(job)) < 500_000);
  });
}

test('of 200 signatures ten are looked at, the others are reported as not looked at', async () => {
  const asked: string[] = [];
  const resolve: Resolve = async (name) => {
    asked.push(name);
    throw Object.assign(new Error('ENOTFOUND'), { code: 'ENOTFOUND' });
  };
  const { dkim } = await judge({ message: times(200, (n) => signature(n)) + plainMessage, resolve });
  assert.equal(dkim.length, 200);
  assert.equal(dkim.filter(({ result }) => result === 'policy').length, 190);
  assert.match(dkim[10]?.reason ?? '', /^Not looked at: the message has 200 signatures/);
  assert.equal(dkim[10]?.domain, 'forged10.test');
  assert.equal(new Set(asked.filter((name) => name.includes('_domainkey'))).size, 10);
});

test('a header too big to verify does not hide who it claims to be from', async () => {
  const { jobs } = await runStage({
    message: `X-Big: ${'x'.repeat(600_000)}\r\n${signature(1)}${plainMessage}`,
    zone: { '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] } },
  });
  const [job] = jobs.of('parse');
  assert.equal(job?.authentication.dkim[0]?.result, 'policy');
  assert.equal(job?.authentication.dmarc.result, 'permerror');
  assert.equal(job?.disposition.action, 'quarantine');
});

test('a body with a line that takes too long to canonicalize is not verified, and says so', async () => {
  const { dkim } = await judge({ message: `${signature(1)}${plainMessage}${'x'.repeat(1e6)}`, zone });
  assert.equal(dkim[0]?.result, 'policy');
  assert.match(dkim[0]?.reason ?? '', /a line of more than 262144 bytes/);
});

test('a body of 20 MB is hashed in two ways at most, however many its signatures ask for', async () => {
  const body = `${'x'.repeat(70)}\r\n`.repeat(278_000);
  const { dkim } = await judge({
    message: `${times(10, (n) => signature(n, `; l=${n}`))}${plainMessage}${body}`,
    zone,
  });
  assert.equal(dkim.length, 10);
  assert.equal(dkim.filter(({ reason }) => /not hashed in more than 2 ways/.test(reason)).length, 8);
});

test('a flood of signature fields does not hide who the message claims to be from', async () => {
  const { jobs } = await runStage({
    message: times(5_000, (n) => signature(n)) + plainMessage,
    zone: { '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] } },
  });
  assert.equal(jobs.of('parse')[0]?.disposition.action, 'quarantine');
});

test('a crowd of authors does not hide a forged one at its end', async () => {
  const { jobs } = await runStage({
    message: `From: ${times(500, (n) => `a@b${n}.test, `)}ann@sender.example\r\n\r\n`,
    zone: { '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] } },
  });
  assert.equal(jobs.of('parse')[0]?.disposition.action, 'quarantine');
});

test('DNS records of any bytes are recorded in plain ASCII', async () => {
  const record = 'v=spf1 -all \uffff\u0000é';
  const { evidence } = await judge({ zone: { 'sender.example': { TXT: [record] } } });
  const outcome = evidence.find(({ name }) => name === 'sender.example')?.outcome;
  assert.equal(outcome?.kind, 'answer');
  assert.match(outcome.json, /^[ -~]+$/);
  assert.deepEqual(JSON.parse(outcome.json), [[record]]);
});

test('a DNS that says nothing costs one deadline, and the verdict is temperror', async () => {
  const startedAt = performance.now();
  const elapsedMs = stopwatch();
  const { spf, dkim, dmarc, arc } = await judge({
    message: times(30, (n) => signature(n)) + seal(1) + plainMessage.replace('Hello, Bob.\r\n', ''),
    resolve: () => new Promise(() => {}),
    config: { dns: { timeoutSeconds: 1, temperrorRetrySeconds: [] } },
  });
  const tookMs = elapsedMs();
  assert.ok(performance.now() - startedAt >= 900 && tookMs < 2_000, `${Math.round(tookMs)} ms`);
  assert.deepEqual([spf.result, dmarc.result], ['temperror', 'temperror']);
  assert.ok(
    dkim.slice(0, 10).every(({ result }) => result === 'temperror'),
    JSON.stringify(dkim[0]),
  );
  assert.notEqual(arc.result, 'pass');
});

test("a forger's mute zones do not eat up the deadline of the zones that matter", async () => {
  const mute = Object.fromEntries(
    Array.from({ length: 10 }, (_, n) => [`s${n}._domainkey.forged${n}.test`, { TXT: 'MUTE' }] as const),
  );
  const { dmarc } = await judge({
    message: times(10, (n) => signature(n)) + plainMessage.replace('Hello, Bob.\r\n', ''),
    zone: { ...mute, '_dmarc.sender.example': { TXT: ['v=DMARC1; p=reject'] } },
    config: { dns: { timeoutSeconds: 1, temperrorRetrySeconds: [] } },
  });
  assert.equal(dmarc.result, 'fail');
  assert.equal(dmarc.policy, 'reject');
});

test('nothing a stranger chose can write a result or a field of its own into `results` (RFC 8601 §5)', async () => {
  const { results } = await judge({
    session: { helo: 'x); dkim=pass (y' },
    job: { reversePath: '"a\\); dmarc=pass (b"@sender.example' },
    message: `${signature(1).replace('d=forged1.test', 'd=x);dmarc=pass\r\n\tspf=pass').replace('s=s1', 's="; arc=pass')}From: "x"; dmarc=pass <a@sender.example>\r\n\r\n`,
    zone: {
      'sender.example': { TXT: ['v=spf1 exp=exp.sender.example -all'] },
      'exp.sender.example': { TXT: ['); dkim=pass (\r\nX: y'] },
    },
  });
  // Read as RFC 8601 wants it: comments and quoted strings taken out, what is left are the results.
  const bare = results.replace(/"(?:[^"\\]|\\.)*"/g, '').replace(/\([^()]*\)/g, '');
  assert.doesNotMatch(bare, /(dkim|dmarc|arc|spf)=pass/);
  // Read by somebody who just splits at semicolons: no part begins like a result that a stranger wrote.
  for (const part of results.split(';')) assert.doesNotMatch(part, /^\s*(dkim|dmarc|arc|spf)=pass/);
  assert.doesNotMatch(results, /[\r\n]/);
  assert.match(results, /^mx\.ours\.example; spf=fail/);
});
