// Strangers at the ops API: wrong tokens by the thousand, connections that say nothing, listeners that read nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { type OpsApi, type OpsApiDeps, startOpsApi } from '#local/http/start-ops-api.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { sampleId, sampleMessage, sampleWorld } from '#test/support/samples/sample-message.ts';
import { stopwatch } from '#test/support/time/stopwatch.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { opsDeps } from '#test/support/worlds/ops-deps.ts';

const token = 'a-token-of-some-length';

type Asked = { readonly path?: string; readonly token?: string | undefined; readonly from?: string };
type Answered = { readonly status: number; readonly retryAfter: string | undefined; readonly ms: number };

/** One request over a connection of its own; rejects where the connection is cut. */
function ask({ address: { host, port } }: OpsApi, { path = '/health', token: sent, from }: Asked = {}) {
  const started = performance.now();
  return new Promise<Answered>((resolve, reject) => {
    const headers = sent === undefined ? {} : { authorization: `Bearer ${sent}` };
    const options = { host, port, path, headers, agent: false, timeout: 20_000, localAddress: from };
    const request = httpRequest(options, (response) => {
      response.resume();
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'],
          ms: performance.now() - started,
        }),
      );
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error('no answer in 20 s')));
    request.end();
  });
}

describe('the ops API among strangers', () => {
  const closing: (() => unknown)[] = [];
  after(() => Promise.all(closing.map((close) => close())));

  async function start(changes: Partial<OpsApiDeps> = {}) {
    const [world, log, metrics] = [sampleWorld(), silentLog(), noMetrics()];
    const api = await startOpsApi(opsDeps(world, { log, metrics, ...changes }));
    closing.push(api.close);
    return { api, world, log, metrics };
  }
  async function open(api: OpsApi, text = ''): Promise<Socket> {
    const socket = connect(api.address.port, api.address.host);
    closing.push(() => socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    if (text !== '') socket.write(text);
    return socket;
  }

  test('2,000 wrong tokens are slowed down, logged and counted, and the right token is served all the while', async () => {
    const { api, log, metrics } = await start({ token });
    const first = await ask(api, { token: 'not-the-token-at-all-0' });
    const answers: Answered[] = [first];
    let left = 1_999;
    const guess = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        answers.push(await ask(api, { token: `not-the-token-at-all-${left}` }));
      }
    };
    const right: Answered[] = [];
    const watch = async (): Promise<void> => {
      for (let n = 0; n < 10; n += 1) {
        right.push(await ask(api, { token }), await ask(api, { token, from: '127.0.0.2' }));
      }
    };
    await Promise.all([...Array.from({ length: 20 }, guess), watch()]);
    assert.equal(first.status, 401);
    const refused = answers.filter(({ status }) => status === 429);
    assert.ok(refused.length > 1_900, `only ${refused.length} of 2,000 were told to wait`);
    assert.ok(refused.every(({ retryAfter }) => Number(retryAfter) >= 1));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))].sort(), [401, 429]);
    assert.ok(right.every(({ status }) => status === 200));
    assert.ok(Math.max(...right.map(({ ms }) => ms)) < 1_000, 'the right token waited');
    assert.equal(metrics.total('ops-tokens-refused'), 2_000);
    const lines = log.of('ops-token-refused');
    assert.ok(lines.length >= 1 && lines.length <= 5, `${lines.length} lines`);
    assert.equal(lines[0]?.fields['clientIp'], '127.0.0.1');
    await api.close();
    const told = log.of('ops-token-refused').reduce((sum, { fields }) => sum + Number(fields['count']), 0);
    assert.equal(told, 2_000);
    assert.doesNotMatch(JSON.stringify(log.entries), /not-the-token|a-token/);
  });

  test('a second wrong token waits longer than the first, and X-Forwarded-For makes nobody another', async () => {
    const { api } = await start({ token });
    const { host, port } = api.address;
    const statuses: number[] = [];
    for (let n = 0; n < 30; n += 1) {
      const headers = {
        authorization: 'Bearer wrong',
        'x-forwarded-for': `192.0.2.${n}`,
        forwarded: `for=192.0.2.${n}`,
      };
      statuses.push((await fetch(`http://${host}:${port}/health`, { headers })).status);
    }
    assert.ok(statuses.filter((status) => status === 429).length > 20, statuses.join(' '));
    assert.equal((await ask(api, { token: 'wrong-as-well', from: '127.0.0.3' })).status, 401);
    assert.equal((await ask(api)).status, 401); // without any token nothing was guessed
  });

  for (const needed of [undefined, token]) {
    test(`400 connections that say nothing, slow ones and 50 listeners shut out nobody (token: ${needed ?? 'none'})`, async () => {
      const { api } = await start({ token: needed });
      const authorization = needed === undefined ? '' : `Authorization: Bearer ${needed}\r\n`;
      const listeners: Socket[] = [];
      for (let n = 0; n < 50; n += 1) {
        listeners.push(await open(api, `GET /api/events HTTP/1.1\r\nHost: localhost\r\n${authorization}\r\n`));
      }
      await Promise.all(listeners.map((listener) => once(listener, 'data')));
      const elapsedMs = stopwatch();
      const silent: Socket[] = [];
      for (let n = 0; n < 400; n += 1)
        silent.push(await open(api, n % 3 === 0 ? 'GET /health HTTP/1.1\r\nX-Slow: ' : ''));
      for (const socket of silent) socket.resume();
      const slow = silent.filter((_, n) => n % 3 === 0);
      const drip = setInterval(() => {
        for (const socket of slow) if (socket.writable) socket.write('x');
      }, 100);
      closing.push(() => clearInterval(drip));
      const answers = await Promise.all([
        ask(api, { token: needed }),
        ask(api, { token: needed, path: '/api/queues' }),
        ask(api, { token: needed, path: '/', from: '127.0.0.4' }),
      ]);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200],
      );
      assert.ok(Math.max(...answers.map(({ ms }) => ms)) < 1_000);
      if (needed !== undefined) return; // once is enough to wait for
      await Promise.all(silent.map((socket) => socket.closed || new Promise((gone) => socket.once('close', gone))));
      assert.ok(elapsedMs() < 9_000, `cut only after ${elapsedMs()} ms`);
      assert.ok(
        listeners.every((listener) => !listener.closed),
        'a listener was cut',
      );
    });
  }

  test('a connection that sends requests without end and reads no answer is closed', async () => {
    const { api, metrics } = await start();
    const line = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const deaf = await Promise.all(Array.from({ length: 20 }, () => open(api, line.repeat(300))));
    assert.equal((await ask(api)).status, 200);
    await Promise.all(deaf.map((socket) => socket.closed || new Promise((gone) => socket.once('close', gone))));
    assert.equal(metrics.total('ops-connections-closed'), 20);
  });

  test('50 requests sent in one go over one connection are answered in order', async () => {
    const { api } = await start();
    const asked = Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? '/health' : `/not-there-${n}`));
    const last = asked.length - 1;
    const lines = asked.map((path, n) => {
      return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${n === last ? 'Connection: close\r\n' : ''}\r\n`;
    });
    const socket = await open(api, lines.join(''));
    let text = '';
    for await (const chunk of socket) text += chunk;
    const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));
    assert.deepEqual(
      statuses,
      asked.map((path) => (path === '/health' ? 200 : 404)),
    );
  });

  test('400 connections that asked once and rest make room for a new one', async () => {
    const { api, metrics } = await start();
    const resting: Socket[] = [];
    for (let n = 0; n < 400; n += 1) {
      const socket = await open(api, 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await once(socket, 'data');
      resting.push(socket);
    }
    assert.equal((await ask(api)).status, 200);
    assert.ok(resting.filter(({ closed }) => closed).length > 90, 'none made room');
    assert.ok(metrics.total('ops-connections-closed') > 90);
  });

  test('a listener more than one address may have is refused with 503 and when to come again', async () => {
    const { api } = await start();
    for (let n = 0; n < 50; n += 1) {
      await once(await open(api, 'GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n'), 'data');
    }
    const { status, retryAfter } = await ask(api, { path: '/api/events' });
    assert.deepEqual([status, retryAfter], [503, '10']);
  });

  test('a listener that reads nothing is cut, and one that reads is not', async () => {
    const { api, world, metrics } = await start();
    const line = 'GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const [deaf, keen] = [await open(api, line), await open(api, line)];
    await Promise.all([once(deaf, 'data'), once(keen, 'data')]);
    deaf.pause();
    keen.resume();
    const cut = once(deaf, 'close').then(() => 'cut');
    const subject = 'x'.repeat(200_000);
    const ids = Array.from({ length: 9_000 }, (_, n) => sampleId(n)).values();
    const flood = setInterval(
      () => world.addMessage(sampleMessage({ id: ids.next().value ?? sampleId(), subject })),
      5,
    );
    closing.push(() => clearInterval(flood));
    await eventually('the deaf listener is cut', () => metrics.total('ops-connections-closed') === 1, 10);
    clearInterval(flood);
    deaf.resume();
    assert.equal(await cut, 'cut');
    assert.equal(keen.closed, false);
  });
});
