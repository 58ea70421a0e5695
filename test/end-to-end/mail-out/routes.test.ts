// Mail out of a whole service, with dnsmasq as its DNS and scripted hosts on loopback addresses: which host is asked, and
// what becomes of a message whatever hosts and DNS do.
import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { generate } from 'selfsigned';
import { hasPeer, peerOptions } from '#test/support/peers/peers.ts';
import type { Script } from '#test/support/peers/scripted-mx.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

// Each domain has hosts of its own: 127.0.1.x, all on one port.
const zone = {
  mx: {
    'order.test': ['20 b.order.test', '10 a.order.test'],
    'equal.test': ['10 a.equal.test', '10 b.equal.test'],
    'dead.test': ['10 a.dead.test', '20 b.dead.test'],
    'gone-host.test': ['10 nowhere.gone-host.test', '20 b.gone-host.test'],
    'no554.test': ['10 a.no554.test', '20 b.no554.test'],
  },
  a: {
    'a.order.test': '127.0.1.1',
    'b.order.test': '127.0.1.2',
    'a.equal.test': '127.0.1.3',
    'b.equal.test': '127.0.1.4',
    'a.dead.test': '127.0.1.5',
    'b.dead.test': '127.0.1.6',
    'implicit.test': '127.0.1.7',
    'null.test': '127.0.1.8',
    'b.gone-host.test': '127.0.1.9',
    'a.no554.test': '127.0.1.10',
    'b.no554.test': '127.0.1.11',
    'grey.test': '127.0.1.12',
    'three.test': '127.0.1.13',
    'drop.test': '127.0.1.14',
    'tls.test': '127.0.1.15',
    'busy.test': '127.0.1.17',
    'broken-tls.test': '127.0.1.16',
    ...Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`host${n}.test`, `127.0.2.${n + 1}`])),
  },
  nullMx: ['null.test'],
  refused: ['refused.test'],
  broken: ['servfail.test'],
};
const names = ['order', 'null', 'gone', 'three', 'reply'].map((name) => `s-${name}`);
let service: SendingService;
const servers: Server[] = [];

before(async () => {
  if (!hasPeer('dnsmasq')) return;
  service = await startSending({ zone, mailboxes: names, config: { delivery: { connectionsPerDestination: 3 } } });
});
after(async () => {
  for (const server of servers) server.close();
  await service?.close();
});

describe('the hosts of a domain', { concurrency: 10, ...peerOptions('dnsmasq') }, () => {
  it('the host of the best preference gets all mail', async () => {
    const [best, worse] = await Promise.all([service.host('127.0.1.1'), service.host('127.0.1.2')]);
    for (let n = 0; n < 3; n++) {
      await service.whenDelivery(await service.submit({ to: ['x@order.test'] }), 'delivered');
    }
    assert.equal(best.mails.length, 3);
    assert.equal(worse.connections(), 0);
  });

  it('hosts of equal preference share the mail', async () => {
    const hosts = await Promise.all([service.host('127.0.1.3'), service.host('127.0.1.4')]);
    const ids = await Promise.all(Array.from({ length: 30 }, () => service.submit({ to: ['x@equal.test'] })));
    for (const id of ids) await service.whenDelivery(id, 'delivered');
    const counts = hosts.map(({ mails }) => mails.length);
    assert.equal(counts[0]! + counts[1]!, 30);
    assert.ok(Math.min(...counts) > 0, `shared ${counts.join(' to ')}`);
  });

  it('where the first host is dead the next one takes the mail, and both are on record', async () => {
    const next = await service.host('127.0.1.6');
    const record = await service.whenDelivery(await service.submit({ to: ['x@dead.test'] }), 'delivered');
    assert.equal(next.mails.length, 1);
    const [dead, taken] = record.attempts[0].hosts;
    assert.deepEqual([dead.host, dead.ip, dead.outcome, dead.stage], ['a.dead.test', '127.0.1.5', 'failed', 'connect']);
    assert.match(dead.reason, /ECONNREFUSED/);
    assert.deepEqual([taken.host, taken.recipients[0].outcome], ['b.dead.test', 'accepted']);
  });

  it('a mail host without an address is passed over', async () => {
    const next = await service.host('127.0.1.9');
    await service.whenDelivery(await service.submit({ to: ['x@gone-host.test'] }), 'delivered');
    assert.equal(next.mails.length, 1);
  });

  it('a domain without MX takes its mail itself (RFC 5321 §5.1)', async () => {
    const host = await service.host('127.0.1.7');
    await service.whenDelivery(await service.submit({ to: ['x@implicit.test'] }), 'delivered');
    assert.equal(host.mails.length, 1);
  });

  it('a null MX bounces at once, and nobody is connected to (RFC 7505)', async () => {
    const host = await service.host('127.0.1.8');
    const id = await service.submit({ from: 's-null@sender.example', to: ['x@null.test'] });
    const record = await service.whenDelivery(id, 'bounced');
    assert.equal(record.recipients[0].status, '5.1.10');
    assert.equal(record.attempts.length, 1);
    const [dsn] = await service.whenInbox('s-null', 1);
    assert.match(
      (await service.raw(dsn.id)).toString(),
      /Final-Recipient: rfc822; ?x@null\.test\r\nAction: failed\r\nStatus: 5\.1\.10/,
    );
    assert.equal(host.connections(), 0);
  });

  it('a domain that does not exist bounces at once', async () => {
    const id = await service.submit({ from: 's-gone@sender.example', to: ['x@gone.invalid'] });
    const record = await service.whenDelivery(id, 'bounced');
    assert.equal(record.recipients[0].status, '5.1.2');
    assert.match(record.recipients[0].reason, /does not exist/);
    await service.whenInbox('s-gone', 1);
  });

  for (const domain of ['servfail.test', 'refused.test']) {
    it(`mail for ${domain} waits while its DNS fails`, async () => {
      const id = await service.submit({ to: [`x@${domain}`] });
      const record = await eventually('two attempts', async () => {
        const seen = await service.delivery(id);
        return seen?.attempts.length >= 2 ? seen : null;
      });
      assert.ok(['waiting', 'sending'].includes(record.state));
      assert.equal(record.recipients[0].status, '4.4.3');
      assert.equal(record.notices.length, 0);
    });
  }
});

describe('what hosts answer', { concurrency: 10, ...peerOptions('dnsmasq') }, () => {
  it('450 at first and 250 then: delivered once, on the second attempt', async () => {
    let asked = 0;
    const host = await service.host('127.0.1.12', {
      answer: (line) => (line.startsWith('RCPT') && ++asked === 1 ? '450 4.2.0 come back' : undefined),
    });
    const record = await service.whenDelivery(await service.submit({ to: ['x@grey.test'] }), 'delivered');
    assert.equal(host.mails.length, 1);
    assert.equal(record.attempts.length, 2);
    assert.match(record.attempts[0].hosts[0].recipients[0].reply.text, /come back/);
  });

  it('of three recipients one is delivered once, one later and alone, one bounces', async () => {
    let asked = 0;
    const host = await service.host('127.0.1.13', {
      answer: (line) => {
        if (line.startsWith('RCPT TO:<b@') && ++asked === 1) return '450 4.2.1 later';
        return line.startsWith('RCPT TO:<c@') ? '550 5.1.1 no such user' : undefined;
      },
    });
    const to = ['a', 'b', 'c'].map((name) => `${name}@three.test`);
    const id = await service.submit({ from: 's-three@sender.example', to });
    const record = await service.whenDelivery(id, 'partial');
    assert.deepEqual(
      host.mails.map(({ rcpts }) => rcpts.map((line) => line.slice(8).split(' ')[0])),
      [['<a@three.test>'], ['<b@three.test>']],
    );
    assert.deepEqual(
      record.recipients.map(({ forwardPath, state }: any) => [forwardPath, state]),
      to.map((path, n) => [path, n === 2 ? 'bounced' : 'delivered']),
    );
    const [dsn, ...more] = await service.whenInbox('s-three', 1);
    assert.equal(more.length, 0);
    const text = (await service.raw(dsn.id)).toString();
    assert.deepEqual(text.match(/^Final-Recipient: .*$/gm), ['Final-Recipient: rfc822;c@three.test']);
  });

  it('a host that hangs up after the final dot is not sent the message again unsaid: the history tells of it', async () => {
    let asked = 0;
    const host = await service.host('127.0.1.14', { accept: () => (++asked === 1 ? 'close' : '250 2.0.0 taken') });
    const record = await service.whenDelivery(await service.submit({ to: ['x@drop.test'] }), 'delivered');
    assert.equal(record.attempts.length, 2);
    const [result] = record.attempts[0].hosts[0].recipients;
    assert.equal(result.outcome, 'unknown');
    assert.match(result.reason, /after the whole message was sent: .*may have been delivered/);
    const ids = host.mails.map(({ content }) => /^Message-ID: .*$/im.exec(content)?.[0]);
    assert.equal(ids.length, 2);
    assert.equal(ids[0], ids[1], 'the receiver can tell the double by its Message-ID');
  });

  it('421 at first, and then the mail is taken: tried again on schedule', async () => {
    let asked = 0;
    const host = await service.host('127.0.1.17', {
      answer: (line) => (line.startsWith('MAIL') && ++asked === 1 ? '421 4.3.2 closing' : undefined),
    });
    const record = await service.whenDelivery(await service.submit({ to: ['x@busy.test'] }), 'delivered');
    assert.equal(record.attempts.length, 2);
    assert.equal(host.mails.length, 1);
  });

  it('554 as the greeting: the next host is asked', async () => {
    const first = await service.host('127.0.1.10', { banner: '554 5.3.2 no mail here' });
    const next = await service.host('127.0.1.11');
    await service.whenDelivery(await service.submit({ to: ['x@no554.test'] }), 'delivered');
    assert.deepEqual([first.connections(), next.mails.length], [1, 1]);
  });

  it('STARTTLS is used where it is offered, with whatever certificate', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'somebody.else' }]);
    const host = await service.host('127.0.1.15', { certificate: { cert, key } });
    const record = await service.whenDelivery(await service.submit({ to: ['x@tls.test'] }), 'delivered');
    const { tls } = record.attempts[0].hosts[0];
    assert.match(tls.version, /^TLSv1\.[23]$/);
    assert.match(tls.problem, /self.signed|SELF_SIGNED/i);
    assert.equal(host.commands.filter((line) => line.startsWith('EHLO')).length, 2);
    assert.ok(host.commands.indexOf('STARTTLS') < host.commands.findIndex((line) => line.startsWith('MAIL')));
  });

  it('a host whose TLS is broken gets the mail in clear, and the record says why', async () => {
    const host = await service.host('127.0.1.16', {
      offers: ['STARTTLS'],
      answer: (line) => (line === 'STARTTLS' ? '220 go\r\nthis is no TLS' : undefined),
    });
    const record = await service.whenDelivery(await service.submit({ to: ['x@broken-tls.test'] }), 'delivered');
    assert.equal(host.mails.length, 1);
    assert.equal(record.attempts[0].hosts[0].tls, null);
    assert.match(record.attempts[0].hosts[0].reason, /^sent in clear, because STARTTLS was offered but failed: /);
  });

  const hostile: readonly {
    title: string;
    state: string;
    serve: Script | ((socket: Socket) => void);
    reason: RegExp;
  }[] = [
    {
      title: '554 as the greeting of the only host',
      state: 'bounced',
      serve: { banner: '554 5.3.2 no' },
      reason: /554 5\.3\.2 no/,
    },
    {
      title: '421 as the greeting',
      state: 'waiting',
      serve: { banner: '421 4.3.2 later' },
      reason: /421 4\.3\.2 later/,
    },
    { title: 'no greeting', state: 'waiting', serve: () => {}, reason: /no reply within/ },
    { title: 'a greeting one octet a second', state: 'waiting', serve: dribble, reason: /no reply within/ },
    {
      title: 'garbage',
      state: 'waiting',
      serve: (socket) => socket.write('\x00\xff\x16\x03garbage\r\n'),
      reason: /not SMTP/,
    },
    {
      title: 'a greeting without end',
      state: 'waiting',
      serve: (socket) => pour(socket, '220-still going\r\n'),
      reason: /does not end/,
    },
    {
      title: 'a line without end',
      state: 'waiting',
      serve: (socket) => pour(socket, 'x'.repeat(10_000)),
      reason: /does not end|not SMTP/,
    },
    { title: 'hanging up at once', state: 'waiting', serve: (socket) => socket.destroy(), reason: /closed|ECONNRESET/ },
    {
      title: 'an answer to RCPT that never comes',
      state: 'waiting',
      serve: { answer: (line) => (/^(RCPT|DATA)/.test(line) ? null : undefined) },
      reason: /no reply within/,
    },
    {
      title: 'answers that nobody asked for, without end',
      state: 'waiting',
      serve: (socket) => {
        pour(socket, '250 fine\r\n');
      },
      reason: /unasked|refused at greeting|closed/,
    },
  ];
  for (const [n, { title, state, serve, reason }] of hostile.entries()) {
    it(`${title}: ${state} within the deadline, with the reason`, async () => {
      const ip = `127.0.2.${n + 1}`;
      if (typeof serve === 'function') await listen(ip, serve);
      else await service.host(ip, serve);
      const id = await service.submit({ from: 's-reply@sender.example', to: [`x@host${n}.test`] });
      const record = await service.whenDelivery(id, state);
      assert.ok(record.attempts[0].seconds < 8, `the attempt took ${record.attempts[0].seconds} s`);
      assert.match(record.recipients[0].reason, reason);
    });
  }
});

function listen(ip: string, serve: (socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  servers.push(server);
  return new Promise((resolve) => server.listen(service.port, ip, resolve));
}

/** Never stops while the peer reads. */
function pour(socket: Socket, text: string): void {
  const more = (): void => {
    while (socket.writable && socket.write(text));
  };
  socket.on('drain', more);
  more();
}

function dribble(socket: Socket): void {
  const timer = setInterval(() => socket.write('2'), 1_000);
  socket.on('close', () => clearInterval(timer));
}
