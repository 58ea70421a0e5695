// Whether a task should get connections.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, type Server } from 'node:net';
import { test } from 'node:test';
import { isConfigBroken, reportHealth, startHealthServer } from '#container/health-server.ts';
import { startTestListener } from '#test/support/worlds/start-test-listener.ts';

const well = {
  connections: 1,
  isDraining: false,
  closedPorts: [],
  bytesInFlight: 0,
  lastStoredAt: null,
  lastStoreFailureAt: null,
  usersShutOut: 0,
  problems: [],
};
for (const { title, health, ok, problems } of [
  { title: 'a task that has done nothing yet is well', health: well, ok: true, problems: [] },
  {
    title: 'a draining one is not',
    health: { ...well, isDraining: true, closedPorts: [2525] },
    ok: false,
    problems: ['draining: no new connections'],
  },
  {
    title: 'one of whose ports does not answer is not',
    health: { ...well, closedPorts: [5870] },
    ok: false,
    problems: ['port 5870 does not answer'],
  },
  {
    title: 'one that could not store the last message stays: another task would have the same store',
    health: { ...well, lastStoredAt: '2026-11-21T11:59:00.000Z', lastStoreFailureAt: '2026-11-21T11:59:30.000Z' },
    ok: true,
    problems: ['the last message could not be stored'],
  },
  {
    title: 'one that stored again since has nothing to tell',
    health: { ...well, lastStoredAt: '2026-11-21T11:59:40.000Z', lastStoreFailureAt: '2026-11-21T11:59:30.000Z' },
    ok: true,
    problems: [],
  },
]) {
  test(title, () => {
    const report = reportHealth(health, null);
    assert.deepEqual([report.ok, report.problems], [ok, problems]);
  });
}

test('a broken configuration and a certificate that ended are told but take no task out', async () => {
  const config = { problem: () => 's3://b/config: limits.hops: wrong' };
  const ended = 'the TLS certificate ended at 2026-11-20T00:00:00.000Z';
  const listener = { health: () => ({ ...well, problems: [ended] }) };
  const server = await startHealthServer({ host: '127.0.0.1', port: 0, listener, config });
  const answer = await fetch(`http://127.0.0.1:${server.port}/health`);
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { ...well, ok: true, problems: [ended, 's3://b/config: limits.hops: wrong'] });
  assert.equal((await fetch(`http://127.0.0.1:${server.port}/other`)).status, 404);
  await server.close();
});

test('the alarm on the configuration hears of one that cannot be used, and of users whose hash is not where it says', () => {
  for (const [usersShutOut, problem, isBroken] of [
    [0, null, false],
    [1, null, true],
    [0, 'hostname: wrong', true],
  ] as const)
    assert.equal(isConfigBroken({ ...well, usersShutOut }, problem), isBroken);
});

test('150 connections that say nothing do not make a task look ill', async (t) => {
  const listener = { health: () => well };
  const config = { problem: () => null };
  const server = await startHealthServer({ host: '127.0.0.1', port: 0, listener, config });
  t.after(server.close);
  const silent = Array.from({ length: 150 }, () => connect(server.port, '127.0.0.1').on('error', () => {}));
  t.after(() => silent.map((socket) => socket.destroy()));
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  assert.equal((await fetch(`http://127.0.0.1:${server.port}/health`)).status, 200);
  for (const socket of silent) socket.resume();
  await Promise.all(silent.slice(0, 50).map((socket) => socket.closed || once(socket, 'close')));
});

test('a port that a running listener has lost is named, and its task is ill', async (t) => {
  const servers: Server[] = [];
  const keep = (message: unknown) => void servers.push((message as { server: Server }).server);
  subscribe('tracing:net.server.listen:asyncEnd', keep);
  t.after(() => unsubscribe('tracing:net.server.listen:asyncEnd', keep));
  const { listener, port } = await startTestListener(t);
  assert.deepEqual([listener.health().closedPorts, reportHealth(listener.health(), null).ok], [[], true]);
  const lost = port('submission');
  servers.find((server) => (server.address() as AddressInfo | null)?.port === lost)!.close();
  assert.deepEqual([listener.health().closedPorts, reportHealth(listener.health(), null).ok], [[lost], false]);
});

const [, inDockerfile = ''] =
  /^HEALTHCHECK .*\\\n {2}CMD (.*)$/m.exec(readFileSync('container/Dockerfile', 'utf8')) ?? [];
const imageCheck: readonly string[] = JSON.parse(inDockerfile);

test('the health check of the image passes while the task is well, and fails while it drains and when nothing listens', async () => {
  let health = well;
  const listener = { health: () => health };
  const server = await startHealthServer({ host: '127.0.0.1', port: 0, listener, config: { problem: () => null } });
  const exitCode = async () => {
    const [command = '', ...given] = imageCheck.map((part) => part.replace('8080', String(server.port)));
    const [code] = await once(spawn(command, given, { env: {}, stdio: 'ignore' }), 'exit');
    return code;
  };
  assert.equal(await exitCode(), 0);
  health = { ...well, isDraining: true };
  assert.equal(await exitCode(), 1);
  await server.close();
  assert.equal(await exitCode(), 1);
});
