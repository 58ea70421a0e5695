// The file of an MTA-STS policy, from a server of the test's own: what counts as one, and what it cannot do to us.
import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { generate } from 'selfsigned';
import { createPolicyFetch } from '#functions/deliver/hosts/fetch-policy.ts';

const host = 'mta-sts.far.example';
const certificates = generate([{ name: 'commonName', value: host }], {
  extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: host }] }],
});

async function serve(t: TestContext, answer: RequestListener): Promise<number> {
  const { cert, private: key } = await certificates;
  const server = createServer({ cert, key }, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('a policy is fetched by its name from the addresses that were looked up, the first that answers', async (t) => {
  const asked: string[] = [];
  const port = await serve(t, (request, response) => {
    asked.push(`${request.headers.host} ${request.url}`);
    response.end('version: STSv1\n');
  });
  const { cert } = await certificates;
  const file = await createPolicyFetch([cert])({ host, addresses: ['::1', '127.0.0.1'], port });
  assert.deepEqual(file, { outcome: 'file', text: 'version: STSv1\n' });
  assert.deepEqual(asked, [`${host}:${port} /.well-known/mta-sts.txt`]);
});

const rows: readonly { title: string; answer: RequestListener; reason: RegExp; trusted?: boolean; name?: string }[] = [
  { title: 'that is not there', answer: (_, response) => response.writeHead(404).end('no'), reason: /HTTP 404/ },
  {
    title: 'that a redirect leads to (RFC 8461 §3.3)',
    answer: (_, response) => response.writeHead(301, { location: 'https://127.0.0.1/' }).end(),
    reason: /HTTP 301/,
  },
  {
    title: 'that is too large',
    answer: (_, response) => response.end('x'.repeat(65_537)),
    reason: /larger than 65536/,
  },
  {
    title: 'that breaks off',
    answer: (_, response) => void response.write('x', () => response.destroy()),
    reason: /\S/,
  },
  { title: 'by nobody who is known', answer: (_, response) => response.end(''), trusted: false, reason: /self.signed/ },
  {
    title: 'by a host of another name',
    answer: (_, response) => response.end(''),
    name: 'mta-sts.other.example',
    reason: /altnames/,
  },
];
for (const { title, answer, reason, trusted = true, name = host } of rows) {
  test(`a policy ${title} is none, and it is said why`, async (t) => {
    const port = await serve(t, answer);
    const { cert } = await certificates;
    const file = await createPolicyFetch(trusted ? [cert] : [])({ host: name, addresses: ['127.0.0.1'], port });
    assert.equal(file.outcome, 'failed');
    assert.match(file.outcome === 'failed' ? file.reason : '', reason);
  });
}

test('a policy host that sends one octet at a time is not waited for beyond the limit', async (t) => {
  const port = await serve(t, (_, response) => {
    const timer = setInterval(() => response.write('x'), 200);
    response.on('close', () => clearInterval(timer));
  });
  const { cert } = await certificates;
  const started = performance.now();
  const fetchPolicy = createPolicyFetch([cert], 1_000);
  assert.deepEqual(await fetchPolicy({ host, addresses: ['127.0.0.1'], port }), {
    outcome: 'failed',
    reason: 'no answer within 1 s',
  });
  assert.ok(performance.now() - started < 10_000);
});

test('a policy host where nobody listens is told as that', async () => {
  const file = await createPolicyFetch()({ host, addresses: ['127.0.0.1'], port: 1 });
  assert.match(file.outcome === 'failed' ? file.reason : '', /ECONNREFUSED/);
});
