// The stage: what it writes where, for whom, and what a second run does.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { parse } from '#functions/parse/parse.ts';
import { createParser } from '#functions/parse/worker/parser.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import { ids, parseDeps, parsed, parseJob } from './parse-job.ts';

const parser = createParser();
after(() => parser.close());

const handout = { receiveCount: 1 };
const hello = Buffer.from('Received: x\r\nSubject: hello\r\n\r\nhello\r\n');

function recipient(
  localPart: string,
  forwardPath = `${localPart}@example.test`,
): ParseJob['envelope']['recipients'][number] {
  return { forwardPath, dsn: { notify: null, orcpt: null }, mailbox: { domain: 'example.test', localPart, tag: null } };
}

test('each mailbox gets its own JSON, which names no other recipient', async () => {
  const deps = parseDeps(parser);
  const job = parseJob(hello, { recipients: [recipient('support'), recipient('sales')] });
  deps.store.seed(job.raw.key, hello);
  const { written } = await parse(deps, job, handout);
  assert.deepEqual(written, [
    `inbox/example.test/support/2026/11/21/${job.id}.json`,
    `inbox/example.test/sales/2026/11/21/${job.id}.json`,
  ]);
  assert.equal(deps.store.json(written[0] ?? '').envelope.forwardPath, 'support@example.test');
  assert.ok(!deps.store.text(written[0] ?? '').includes('sales'));
});

test('an alias and a direct mention that lead to one mailbox are one message, for the first of them', async () => {
  const deps = parseDeps(parser);
  const job = parseJob(hello, { recipients: [recipient('support', 'info@example.test'), recipient('support')] });
  deps.store.seed(job.raw.key, hello);
  const { written } = await parse(deps, job, handout);
  assert.equal(written.length, 1);
  assert.equal(deps.store.json(written[0] ?? '').envelope.forwardPath, 'info@example.test');
});

const results: readonly [field: string, isForged: boolean][] = [
  ['mx.example.test; spf=pass', true],
  ['MX.Example.Test 1; spf=pass', true],
  ['(a comment) "mx.example.test"; spf=pass', true],
  ['mx.example.test/1; none', true],
  ['mx.example.test.evil.example; spf=pass', false],
  ['mx.sender.example; spf=pass (mx.example.test)', false],
];
for (const [field, isForged] of results) {
  test(`Authentication-Results: ${field} is ${isForged ? 'forged' : "somebody else's"} (RFC 8601 §5)`, async () => {
    const { message } = await parsed(parser, `Authentication-Results: ${field}\r\n\r\nhi\r\n`, {
      hostname: 'mx.example.test',
    });
    assert.equal(
      message.problems.some(({ code }) => code === 'forged-authentication-results'),
      isForged,
    );
  });
}

test('verdicts in our name in fields of other names are forged, too', async () => {
  for (const field of [
    'ARC-Authentication-Results: i=1; mx.example.test; none',
    'Received-SPF: pass receiver=mx.example.test',
  ]) {
    const { message } = await parsed(parser, `${field}\r\n\r\nhi\r\n`, { hostname: 'mx.example.test' });
    assert.ok(
      message.problems.some(({ code }) => code === 'forged-authentication-results'),
      field,
    );
  }
});

test('what policy withholds goes to quarantine/', async () => {
  const deps = parseDeps(parser);
  const job = parseJob(hello, { disposition: { action: 'quarantine', reason: 'DMARC failed' } });
  deps.store.seed(job.raw.key, hello);
  await parse(deps, job, handout);
  assert.equal(deps.store.keys('inbox/').length, 0);
  assert.equal(deps.store.json(deps.store.keys('quarantine/')[0] ?? '').disposition.reason, 'DMARC failed');
});

test('a second run changes nothing', async () => {
  const deps = parseDeps(parser);
  const bytes = Buffer.from('Received: x\r\nContent-Type: application/pdf\r\n\r\npdf');
  const job = parseJob(bytes);
  deps.store.seed(job.raw.key, bytes);
  const first = await parse(deps, job, handout);
  const before = new Map([...deps.store.objects].map(([key, { etag }]) => [key, etag]));
  const second = await parse(deps, job, { receiveCount: 2 });
  assert.deepEqual(second.present, first.written);
  assert.deepEqual(second.written, []);
  assert.deepEqual(new Map([...deps.store.objects].map(([key, { etag }]) => [key, etag])), before);
});

test('the JSON is written last, when all that it names is there', async () => {
  const deps = parseDeps(parser);
  const order: string[] = [];
  const put = deps.store.put;
  const store = {
    ...deps.store,
    put: (request: Parameters<typeof put>[0]) => {
      order.push(request.key);
      return put(request);
    },
  };
  const bytes = Buffer.from(`Received: x\r\nContent-Type: text/html\r\n\r\n${'<p>x</p>\r\n'.repeat(40_000)}`);
  const job = parseJob(bytes);
  deps.store.seed(job.raw.key, bytes);
  await parse({ ...deps, store }, job, handout);
  assert.deepEqual(
    order.map((key) => key.split('/')[0]),
    ['attachments', 'inbox'],
  );
});

test('a large body is an object beside the message, whole and by its hash', async () => {
  const line = 'ünïcödé 🎉\r\n';
  const { message, store } = await parsed(parser, `Received: x\r\n\r\n${line.repeat(30_000)}`);
  assert.equal(typeof message.text, 'object');
  const { key, bytes, sha256 } = message.text as { key: string; bytes: number; sha256: string };
  const content = store.bytes(key);
  assert.equal(Buffer.from(content).toString('utf8'), line.repeat(30_000).replaceAll('\r\n', '\n'));
  assert.equal(bytes, content.length);
  assert.equal(sha256, createHash('sha256').update(content).digest('hex'));
});

test('bodies put together from several parts are whole, whatever stands between them', async () => {
  const lines = (word: string): string => `${word} ünïcödé 🎉\r\n`.repeat(8_000);
  const part = (type: string, content: string): string =>
    `--b\r\nContent-Type: ${type}; charset=utf-8\r\n\r\n${content}\r\n`;
  const parts = [
    part('text/plain', lines('one')),
    part('text/html', lines('<p>')),
    part('application/octet-stream', lines('file')),
    part('text/plain', 'two'),
    part('text/html', lines('<b>x</b>')),
    part('text/plain', lines('three')),
  ];
  const message = `Received: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${parts.join('')}--b--\r\n`;
  const { message: read, store } = await parsed(parser, message);
  const content = (body: typeof read.text): string =>
    store.text(typeof body === 'object' && body !== null ? body.key : assert.fail('an object was expected'));
  const unix = (...texts: string[]): string => texts.join('\n').replaceAll('\r\n', '\n');
  assert.equal(content(read.text), unix(lines('one'), 'two', lines('three')));
  assert.equal(content(read.html), unix(lines('<p>'), lines('<b>x</b>')));
  assert.equal(store.text(read.attachments[0]?.key ?? ''), lines('file'));
  assert.deepEqual(read.problems, []);
});

test('a text without line ends is cut into pieces between characters', async () => {
  const text = `${'ü'.repeat(700_000)}${'日'.repeat(700_000)}${'🎉'.repeat(300_000)}`;
  const { message, store } = await parsed(parser, `Received: x\r\n\r\n${text}`);
  assert.equal(typeof message.text === 'object' && message.text !== null && store.text(message.text.key), text);
  assert.deepEqual(message.problems, []);
});

test('attachments are stored as bytes, with name and type in ASCII metadata', async () => {
  const { message, store } = await parsed(
    parser,
    "Received: x\r\nContent-Type: text/html\r\nContent-Disposition: attachment; filename*=utf-8''%E6%97%A5.html\r\n\r\n<script>",
  );
  const stored = store.objects.get(message.attachments[0]?.key ?? '');
  assert.equal(stored?.contentType, 'application/octet-stream');
  assert.deepEqual(stored?.metadata, { filename: '%E6%97%A5.html', type: 'text/html' });
  assert.equal(message.attachments[0]?.filename, '日.html');
});

test('a missing raw message is a fault of ours', async () => {
  await assert.rejects(parse(parseDeps(parser), parseJob(hello, { id: ids[1] as ParseJob['id'] }), handout), /missing/);
});

test('a store that fails fails the job, and leaves no JSON', async () => {
  const deps = parseDeps(parser);
  const bytes = Buffer.from('Received: x\r\nContent-Type: application/pdf\r\n\r\npdf');
  const job = parseJob(bytes);
  deps.store.seed(job.raw.key, bytes);
  const store = { ...deps.store, put: () => Promise.reject(new Error('store down')) };
  await assert.rejects(parse({ ...deps, store }, job, handout), /store down/);
  assert.deepEqual(deps.store.keys('inbox/'), []);
});

for (const [kind, type] of [
  ['attachment', 'application/zip'],
  ['text', 'text/plain; charset=utf-8'],
  ['text of unknown charset', 'text/plain'],
  ['HTML', 'text/html; charset=iso-8859-1'],
] as const) {
  test(`60 MB of ${kind} go through without being held`, async () => {
    const bytes = Buffer.concat([
      Buffer.from(`Received: x\r\nContent-Type: ${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n`),
      Buffer.alloc(60_000_000, `${'QUJD'.repeat(18)}QQ0K\r\n`),
    ]);
    const deps = parseDeps(parser);
    const job = parseJob(bytes);
    deps.store.seed(job.raw.key, bytes);
    let most = 0;
    let received = 0;
    const store = {
      ...deps.store,
      put: async ({ key, body }: Parameters<typeof deps.store.put>[0]) => {
        if (!key.startsWith('attachments/') || body instanceof Uint8Array)
          return { outcome: 'stored', etag: '"x"' } as const;
        for await (const chunk of body) {
          received += chunk.length;
          most = Math.max(most, process.memoryUsage().rss - before);
        }
        return { outcome: 'stored', etag: '"x"' } as const;
      },
    };
    const before = process.memoryUsage().rss;
    await parse({ ...deps, store }, job, handout);
    assert.ok(received > 40_000_000, `${received}`);
    assert.ok(most < 150_000_000, `${most} bytes more`);
  });
}
