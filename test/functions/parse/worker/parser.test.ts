// The pool: hostile mail costs only itself.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { createParser, type ParserOptions } from '#functions/parse/worker/parser.ts';
import { parsed } from '#test/functions/parse/parse-job.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';

const workerUrl = new URL('./stuck-worker.ts', import.meta.url);

function parserFor(t: TestContext, options: ParserOptions = {}) {
  const parser = createParser({ workerUrl, ...options });
  t.after(() => parser.close());
  return parser;
}

const fault = (what: string): string => `Subject: hostile\r\nX-Fault: please-${what}\r\n\r\n${'x'.repeat(2_000)}\r\n`;
const limits = { bytes: 100, budgetMs: 2_000, memoryMiB: 64 };
const harmless = 'Subject: harmless\r\n\r\nhello\r\n';

const faults = [
  { what: 'burn', code: 'parse-timeout' },
  { what: 'crash', code: 'parse-failed' },
  { what: 'exit', code: 'parse-failed' },
  { what: 'hoard', code: 'parse-out-of-memory' },
] as const;

for (const { what, code } of faults) {
  test(`a message that makes its worker ${what} is stored with its header and ${code}, and the next one is read`, async (t) => {
    const parser = parserFor(t);
    const { message } = await parsed(parser, fault(what), {
      parse: { budgetSeconds: what === 'burn' ? 1 : 30, memoryMiB: 64 },
    });
    assert.deepEqual(
      message.problems.map((problem) => problem.code),
      [code],
    );
    assert.equal(message.subject, 'hostile');
    assert.equal(message.text, null);
    assert.deepEqual((await parsed(parser, harmless)).message.text, 'hello\n');
  });
}

test('a message may use the heap that is configured when it comes: 88 MB are too many for 64 MiB, and not for 512', async (t) => {
  const parser = parserFor(t);
  for (const [memoryMiB, found] of [
    [512, []],
    [64, ['parse-out-of-memory']],
  ] as const) {
    const { message } = await parsed(parser, fault('fill'), { parse: { budgetSeconds: 30, memoryMiB } });
    assert.deepEqual(
      message.problems.map(({ code }) => code),
      found,
    );
  }
});

test('while 4 messages burn their budget, small mail is read within 2 s', async (t) => {
  const parser = parserFor(t, { softMs: 200 });
  const budget = { parse: { budgetSeconds: 1 } };
  await parsed(parser, harmless);
  const burning = Array.from({ length: 4 }, () => parsed(parser, fault('burn'), budget));
  let slowestMs = 0;
  for (let n = 0; n < 15; n += 1) {
    const elapsedMs = stopwatch();
    const { message } = await parsed(parser, harmless, { parse: { budgetSeconds: 60 } });
    assert.equal(message.subject, 'harmless');
    slowestMs = Math.max(slowestMs, elapsedMs());
  }
  assert.ok(slowestMs < 2_000, `the slowest took ${slowestMs} ms`);
  for (const { message } of await Promise.all(burning)) {
    assert.deepEqual(
      message.problems.map(({ code }) => code),
      ['parse-timeout'],
    );
  }
});

test('a budget is time of a whole processor: with a quarter of one a message has four times as long', async (t) => {
  const parser = parserFor(t, { processorShare: 0.25 });
  await parsed(parser, harmless);
  const raw = Buffer.from(fault('burn'));
  const open = async () => Readable.from([raw]);
  const from = performance.now();
  const request = { ...limits, bytes: raw.length, budgetMs: 200, open, keep: async () => {} };
  assert.deepEqual((await parser.parse(request)).problems, [
    { code: 'parse-timeout', detail: 'not read within 0.2 seconds' },
  ]);
  assert.ok(performance.now() - from >= 800);
});

test('a slow store costs no budget', async (t) => {
  const parser = parserFor(t, { softMs: 100 });
  await parsed(parser, harmless);
  const chunks = async function* () {
    yield Buffer.from('Subject: slow\r\n\r\n');
    for (let n = 0; n < 6; n += 1) {
      await new Promise((resolve) => setTimeout(resolve, 400));
      yield Buffer.from('hello\r\n');
    }
  };
  const { problems, text } = await parser.parse({ ...limits, open: async () => chunks(), keep: async () => {} });
  assert.deepEqual(problems, []);
  assert.deepEqual(text, { inline: 'hello\n'.repeat(6) });
});

test('a store that fails fails the parse, and the parser goes on', async (t) => {
  const parser = parserFor(t);
  const chunks = async function* () {
    yield Buffer.from('Content-Type: application/pdf\r\n\r\nx');
  };
  const failing = { ...limits, open: async () => chunks(), keep: () => Promise.reject(new Error('store down')) };
  await assert.rejects(parser.parse(failing), /store down/);
  const unreadable = { ...failing, open: () => Promise.reject(new Error('no object')) };
  await assert.rejects(parser.parse(unreadable), /no object/);
  assert.equal((await parsed(parser, harmless)).message.subject, 'harmless');
});

test('a parser whose worker cannot start rejects: that is a fault of ours, not of the mail', async (t) => {
  const parser = parserFor(t, { workerUrl: new URL('../no-such-worker.ts', import.meta.url) });
  await assert.rejects(parsed(parser, harmless), /no-such-worker/);
});

test('a closed parser rejects', async () => {
  const parser = createParser();
  const waiting = parsed(parser, harmless);
  await parser.close();
  await assert.rejects(waiting);
  await assert.rejects(parsed(parser, harmless), /closed/);
});

test('a store that does not read what it is given (the object is there) holds nothing up', async (t) => {
  const parser = parserFor(t);
  const chunks = async function* () {
    yield Buffer.from('Content-Type: application/pdf\r\n\r\n');
    for (let n = 0; n < 100; n += 1) yield Buffer.alloc(65_536, 0x61);
  };
  const { problems } = await parser.parse({ ...limits, open: async () => chunks(), keep: async () => {} });
  assert.deepEqual(problems, []);
});

test('a store that stops reading an object early does not hold up the message', async (t) => {
  const parser = parserFor(t);
  const head = 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/x-data\r\n\r\n';
  const raw = Buffer.from(`${head}${'x'.repeat(3_000_000)}\r\n--b\r\n\r\nhello\r\n--b--\r\n`);
  const keep = async (_start: unknown, content: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const _ of content) return;
  };
  const request = { bytes: raw.length, budgetMs: 30_000, memoryMiB: 256, keep };
  const chunks = async function* () {
    for (let at = 0; at < raw.length; at += 65_536) yield raw.subarray(at, at + 65_536);
  };
  const { text } = await parser.parse({ ...request, open: async () => chunks() });
  assert.deepEqual(text, { inline: 'hello' });
});
