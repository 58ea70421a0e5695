// Bodies of requests: JSON alone, bounded, never from a web page of another origin.
import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, test } from 'node:test';
import { createRequestBodies } from '#local/http/request-bodies.ts';
import { startOpsApi } from '#local/http/start-ops-api.ts';
import { maxSentBytes } from '#ops/send/send-message.ts';
import { sampleWorld } from '#test/support/samples/sample-message.ts';
import { opsDeps } from '#test/support/worlds/ops-deps.ts';

let submissions = 0;
const api = await startOpsApi(
  opsDeps(sampleWorld(), {
    submit: async () => {
      submissions += 1;
      return { outcome: 'accepted', id: 'ID' };
    },
  }),
);
after(api.close);

const content = JSON.stringify({ from: 'ann@a.example', to: ['bob@b.example'] });
type Given = {
  readonly path?: string;
  readonly headers?: Record<string, string | readonly string[]>;
  readonly body?: string;
};

function post({ path = '/api/send', headers = {}, body = content }: Given): Promise<number> {
  return new Promise((resolve, reject) => {
    const all = { 'content-type': 'application/json', ...headers };
    const sent = httpRequest({ ...api.address, path, method: 'POST', headers: all, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const here = `http://127.0.0.1:${api.address.port}`;
const huge = String(maxSentBytes + 1);

for (const [what, given, status] of [
  ['JSON', {}, 202],
  ['JSON in pieces of unknown number', { headers: { 'transfer-encoding': 'chunked' } }, 202],
  ['JSON of our own page', { headers: { origin: here, 'sec-fetch-site': 'same-origin' } }, 202],
  ['a page of another origin', { headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } }, 403],
  ['a page of another origin, by an old browser', { headers: { origin: 'https://evil.example' } }, 403],
  ['a page of no origin', { headers: { origin: 'null' } }, 403],
  [
    'a page of another port of this machine',
    { headers: { origin: 'http://127.0.0.1:1', 'sec-fetch-site': 'same-site' } },
    403,
  ],
  ['another name that leads here', { headers: { host: 'evil.example' } }, 403],
  ['a form', { headers: { 'content-type': 'text/plain' } }, 415],
  ['a form of the usual type', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415],
  ['no JSON', { body: '{"from":' }, 400],
  ['no body', { body: '' }, 400],
  ['JSON of no named type, as some clients send it', { headers: { 'content-type': [] } }, 202],
  ['a body that says it is too large', { headers: { 'content-length': huge }, body: '{' }, 413],
  ['a body for a route that takes none', { path: '/api/queues/parse/redrive' }, 413],
] as const) {
  test(`${what}: ${status}`, async () => {
    submissions = 0;
    assert.equal(await post(given), status);
    assert.equal(submissions, status === 202 ? 1 : 0);
  });
}

test('of a body that is empty it is said what is missing; where none is needed it does no harm', async () => {
  const ask = async (path: string) => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${here}${path}`, { method: 'POST', headers, body: '{}' });
    return { status: response.status, error: ((await response.json()) as any).error };
  };
  const { status, error } = await ask('/api/send');
  assert.deepEqual([status, error.code, error.field], [400, 'bad-body', 'from']);
  assert.equal((await ask('/api/queues/parse/redrive')).status, 200);
});

/** A request whose body comes as a test says. */
function bodyOf(pieces: AsyncIterable<string | Buffer>, headers: Record<string, string> = {}): any {
  return { headers: { 'content-type': 'application/json', ...headers }, iterator: () => pieces };
}

test('a body that turns out too large is read no further', async () => {
  let pieces = 0;
  async function* endless() {
    for (;;) {
      pieces += 1;
      yield ' '.repeat(10);
    }
  }
  const answer: any = await createRequestBodies().reader(bodyOf(endless()))(25);
  assert.deepEqual([answer.status, answer.headers.connection, pieces], [413, 'close', 3]);
});

test('all bodies that are being read have a bound together', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  async function* slow() {
    yield Buffer.from('{"a"');
    await promise;
    yield Buffer.from(':1}');
  }
  const bodies = createRequestBodies(100);
  const first = bodies.reader(bodyOf(slow()))(60);
  const second: any = await bodies.reader(bodyOf(slow(), { 'content-length': '41' }))(60);
  assert.equal(second.status, 503);
  resolve();
  assert.deepEqual(await first, { json: { a: 1 } });
  assert.deepEqual(await bodies.reader(bodyOf(slow(), { 'content-length': '41' }))(60), { json: { a: 1 } });
});
