// Whose connection is closed when another needs its place.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { keepRoom } from '#container/limits/connection-room.ts';

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

const grace = { ms: 0, connections: 0 };

type Kind = 'silent' | 'rested' | 'proven' | 'at work' | 'not taking its answer' | 'held' | 'apart';

const cases: readonly {
  title: string;
  open: readonly (Kind | [Kind, string])[];
  closed: number | 'new';
  perAddress?: number;
}[] = [
  { title: 'one that has said nothing goes before one that rests', open: ['rested', 'silent', 'proven'], closed: 1 },
  { title: 'one that rests goes before one that has proven itself', open: ['proven', 'rested', 'at work'], closed: 1 },
  { title: 'one that has proven itself goes before one at work', open: ['at work', 'proven', 'at work'], closed: 1 },
  { title: 'one that does not take its answer goes', open: ['at work', 'not taking its answer', 'at work'], closed: 1 },
  { title: 'one whose answer is held back goes like one that rests', open: ['proven', 'held', 'at work'], closed: 1 },
  { title: 'the oldest of a kind goes', open: ['at work', 'silent', 'silent'], closed: 1 },
  { title: 'where all are at work the new one is not let in', open: ['at work', 'at work', 'at work'], closed: 'new' },
  {
    title: 'one that is set apart is not counted',
    open: ['apart', 'apart', 'silent', 'at work', 'at work'],
    closed: 2,
  },
  {
    title: 'an address that has its share makes room among its own',
    open: [['silent', '127.0.0.2'], 'proven'],
    closed: 1,
    perAddress: 1,
  },
  {
    title: 'the address that has most gives one up',
    open: [
      ['silent', '127.0.0.2'],
      ['silent', '127.0.0.3'],
      ['silent', '127.0.0.3'],
    ],
    closed: 1,
  },
];

for (const { title, open, closed, perAddress = 3 } of cases) {
  test(title, async (t) => {
    const reasons: string[] = [];
    const server = createServer((asked, response) => {
      if (asked.url === '/proven') room.prove(asked.socket);
      if (asked.url === '/apart') room.setApart(asked.socket);
      if (asked.url === '/held') room.hold(asked.socket);
      if (asked.url === '/large') response.end(Buffer.alloc(20_000_000));
      else if (!['/work', '/apart', '/held'].includes(asked.url ?? '')) response.end('x');
      else response.write('x');
    });
    const room = keepRoom(server, { total: 3, perAddress, grace }, (reason, ip) => reasons.push(`${reason} ${ip}`));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const paths = {
      silent: '',
      rested: '/',
      proven: '/proven',
      'at work': '/work',
      'not taking its answer': '/large',
      held: '/held',
      apart: '/apart',
    };
    const sockets: Socket[] = [];
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const connected = async (localAddress: string): Promise<Socket> => {
      const socket = connect({ port, host: '127.0.0.1', localAddress }).on('error', () => {});
      sockets.push(socket);
      const accepted = once(server, 'connection');
      await Promise.all([once(socket, 'connect'), accepted]);
      return socket;
    };
    for (const one of open) {
      const [kind, from] = typeof one === 'string' ? [one, '127.0.0.1'] : one;
      const socket = await connected(from);
      const path = paths[kind];
      if (path === '') continue;
      socket.write(request.replace('/', path));
      await once(socket, 'data');
      if (kind === 'not taking its answer') socket.pause();
    }
    await connected('127.0.0.1');
    const gone = sockets.at(closed === 'new' ? -1 : closed);
    gone?.resume();
    await (gone?.closed || new Promise((resolve) => gone?.once('close', resolve)));
    assert.equal(sockets.filter((socket) => socket.closed).length, 1);
    assert.deepEqual(
      reasons.map((told) => told.split(' ')[0]),
      [closed === 'new' ? 'no-room' : 'made-room'],
    );
  });
}

test('of many that connect in one moment none is closed before it could ask', async (t) => {
  const server = createServer((_, response) => response.end('x'));
  const reasons: string[] = [];
  keepRoom(server, { total: 3, perAddress: 3 }, (reason) => reasons.push(reason));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  let accepted = 0;
  const all = new Promise<void>((resolve) => {
    server.on('connection', () => {
      accepted += 1;
      if (accepted === 10) resolve();
    });
  });
  const sockets = Array.from({ length: 10 }, () => connect({ port, host: '127.0.0.1' }));
  await all;
  const answers = sockets.map(async (socket) => {
    socket.write(request);
    const cut = once(socket, 'close').then(() => ['cut']);
    const [answer] = await Promise.race([once(socket, 'data'), cut]);
    return String(answer).slice(0, 12);
  });
  assert.deepEqual([...new Set(await Promise.all(answers))], ['HTTP/1.1 200']);
  assert.ok(reasons.every((reason) => reason === 'made-room'));
});
