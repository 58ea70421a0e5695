// The less usual ways out: IPv6, CNAMEs, address literals, a smarthost, hosts with habits of their own, large and
// international mail, and an orderly stop in the middle of it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hasPeer, peerOptions } from '#test/support/peers/peers.ts';
import { startMx } from '#test/support/peers/scripted-mx.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { drained, eventually } from '#test/support/worlds/local-service.ts';
import { login, type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

const zone = {
  mx: { 'target.test': ['10 mx.target.test'], 'via-cname.test': ['10 alias.mx.test'], 'both.test': ['10 dual.test'] },
  a: {
    'six.test': '::1',
    'mx.target.test': '127.0.9.2',
    'dual.test': '127.0.9.3',
    'real.mx.test': '127.0.9.4',
    'plain.test': '127.0.9.6',
    'one-each.test': '127.0.9.7',
    'hangs-up.test': '127.0.9.8',
    'big.test': '127.0.9.9',
    'ascii.test': '127.0.9.10',
    'utf8.test': '127.0.9.11',
    'later.test': '127.0.9.16',
    'never.test': '127.0.9.12',
    'twice.test': '127.0.9.13',
    'hidden.test': '127.0.9.17',
    'a.split.test': '127.0.9.14',
    'b.split.test': '127.0.9.15',
    'urgent.test': '127.0.9.18',
    'unhurried.test': '127.0.9.19',
  },
  cname: { 'alias.test': 'target.test', 'alias.mx.test': 'real.mx.test', 'alias-of-plain.test': 'plain.test' },
};
const mailboxes = ['s-utf8', 's-never', 's-big', 's-hidden'];
let service: SendingService;

before(async () => {
  if (hasPeer('dnsmasq'))
    service = await startSending({
      zone,
      mailboxes,
      config: { delivery: { attemptSeconds: 20, retrySeconds: [3_600] } },
    });
});
after(() => service?.close());

const delivered = async (to: string): Promise<any> =>
  service.whenDelivery(await service.submit({ to: [to] }), 'delivered');

describe('ways to a host', { concurrency: 6, ...peerOptions('dnsmasq') }, () => {
  for (const { title, ip, to } of [
    { title: 'a host that has an IPv6 address alone', ip: '::1', to: 'x@six.test' },
    { title: 'a mail host whose name is an alias', ip: '127.0.9.4', to: 'x@via-cname.test' },
    { title: 'a domain that is an alias of one with mail hosts', ip: '127.0.9.2', to: 'x@alias.test' },
    { title: 'a domain that is an alias of one without mail hosts', ip: '127.0.9.6', to: 'x@alias-of-plain.test' },
    { title: 'an address literal', ip: '127.0.9.20', to: 'x@[127.0.9.20]' },
  ]) {
    it(`${title}: delivered`, async () => {
      const host = await service.host(ip);
      const record = await delivered(to);
      assert.equal(host.mails.length, 1);
      assert.equal(record.attempts[0].hosts[0].ip, ip);
    });
  }

  it('one message for several domains is sent to each, each with its own recipients', async () => {
    const hosts = await Promise.all([service.host('127.0.9.14'), service.host('127.0.9.15')]);
    const to = ['x@a.split.test', 'y@b.split.test', 'z@a.split.test'];
    const id = await service.submit({ to });
    await eventually('both are there', () => hosts.every(({ mails }) => mails.length === 1));
    assert.deepEqual(
      hosts.map(({ mails }) => mails[0]!.rcpts.map((line) => line.slice(8).split(' ')[0])),
      [['<x@a.split.test>', '<z@a.split.test>'], ['<y@b.split.test>']],
    );
    await drained(service);
    assert.equal((await service.json(`/api/deliveries?id=${id}`)).deliveries.length, 2);
  });
});

describe('habits of hosts', { concurrency: 6, ...peerOptions('dnsmasq') }, () => {
  const first = (): ((connection: number) => boolean) => {
    const seen = new Set<number>();
    return (connection) => !seen.has(connection) && seen.add(connection).size > 0;
  };

  it('one that takes one message a connection and then says 421 gets all of them, and is not left alone', async () => {
    const isFirst = first();
    const host = await service.host('127.0.9.7', {
      answer: (line, connection) =>
        line.startsWith('MAIL') && !isFirst(connection) ? '421 4.7.0 one message a connection' : undefined,
    });
    for (let n = 0; n < 5; n++) assert.equal((await delivered('x@one-each.test')).attempts.length, 1);
    assert.equal(host.mails.length, 5);
  });

  it('one that hangs up as soon as it has taken a message gets all of them, each once', async () => {
    const host = await service.host('127.0.9.8', { accept: () => '250 2.0.0 taken\r\n221 2.0.0 bye' });
    for (let n = 0; n < 5; n++) assert.equal((await delivered('x@hangs-up.test')).attempts.length, 1);
    assert.equal(host.mails.length, 5);
  });

  it('a recipient that is named twice gets the message once', async () => {
    const host = await service.host('127.0.9.13');
    await service.whenDelivery(
      await service.submit({ to: ['x@twice.test', 'x@twice.test', 'x@TWICE.test'] }),
      'delivered',
    );
    assert.deepEqual(
      host.mails.map(({ rcpts }) => rcpts.length),
      [1],
    );
  });
});

describe('kinds of mail', { concurrency: 6, ...peerOptions('dnsmasq') }, () => {
  it('6 MB arrive unchanged', async () => {
    const host = await service.host('127.0.9.9', { offers: ['PIPELINING', '8BITMIME', 'SIZE 100000000'] });
    const body = `${'0123456789'.repeat(7)}\r\n.${'dots'.repeat(10)}\r\n`.repeat(50_000);
    const content = `From: <${login.user}>\r\nMessage-ID: <1@sender.example>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\n${body}`;
    const record = await service.whenDelivery(await service.submit({ to: ['x@big.test'], content }), 'delivered', 60);
    assert.equal(record.attempts.length, 1);
    const got = host.mails[0]!.content;
    assert.equal(sha(got.slice(got.indexOf('\r\n\r\n') + 4)), sha(body));
  });

  it('no recipient, here or elsewhere, by JSON, raw or SMTP, sees whom Bcc and Return-Path name; a body of 3 MB stays as it is', async () => {
    const host = await service.host('127.0.9.17');
    const hidden =
      'Bcc: one@secret.test,\r\n two@secret.test\r\nRETURN-PATH: <three@secret.test>\r\nbCC : four@secret.test\r\n';
    const body = `${'0123456789'.repeat(7)}\r\n.dots\r\n`.repeat(40_000);
    const content = `${hidden}From: <${login.user}>\r\n${hidden}Subject: hi\r\n\r\n${body}`;
    const id = await service.submit({ to: ['x@hidden.test', 's-hidden@sender.example'], content });
    await service.whenDelivery(id, 'delivered', 60);
    const [message] = await service.whenInbox('s-hidden', 1);
    const [raw, sent] = [(await service.raw(id)).toString('latin1'), host.mails[0]!.content];
    for (const seen of [JSON.stringify(message), raw, sent]) assert.doesNotMatch(seen, /secret\.test|"bcc"|^bcc/im);
    for (const seen of [raw, sent]) assert.equal(sha(seen.slice(seen.indexOf('\r\n\r\n') + 4)), sha(body));
  });

  it('mail that is larger than the host takes bounces without being sent', async () => {
    const host = await service.host('127.0.9.3', { offers: ['SIZE 1000'] });
    const content = `From: <${login.user}>\r\n\r\n${'x'.repeat(70).concat('\r\n').repeat(100)}`;
    const id = await service.submit({
      from: 's-big@sender.example',
      to: ['x@both.test'],
      content: content.replace('app@', 's-big@'),
    });
    assert.equal((await service.whenDelivery(id, 'bounced')).recipients[0].status, '5.3.4');
    assert.equal(host.mails.length, 0);
    await service.whenInbox('s-big', 1);
  });

  it('international addresses go to a host that takes them, and bounce at one that does not', async () => {
    const [ascii, utf8] = await Promise.all([
      service.host('127.0.9.10', { offers: ['8BITMIME'] }),
      service.host('127.0.9.11', { offers: ['8BITMIME', 'SMTPUTF8'] }),
    ]);
    const mail = { from: 's-utf8@sender.example', mailParameters: 'SMTPUTF8 BODY=8BITMIME' };
    await service.whenDelivery(await service.submit({ ...mail, to: ['jürgen@utf8.test'] }), 'delivered');
    assert.match(Buffer.from(utf8.mails[0]!.mail, 'latin1').toString(), / SMTPUTF8( |$)/);
    assert.match(Buffer.from(utf8.mails[0]!.rcpts[0]!, 'latin1').toString(), /<jürgen@utf8\.test>/);
    const id = await service.submit({ ...mail, to: ['jürgen@ascii.test'] });
    assert.equal((await service.whenDelivery(id, 'bounced')).recipients[0].status, '5.6.7');
    assert.equal(ascii.mails.length, 0);
    const [dsn] = await service.whenInbox('s-utf8', 1);
    assert.match((await service.raw(dsn.id)).toString(), /^Final-Recipient: utf-8; ?jürgen@ascii\.test\r$/m);
  });

  it('the priority of a message goes on to hosts that know priorities, and comes with it nowhere else (RFC 6710)', async () => {
    const [knows, knowsNot] = await Promise.all([
      service.host('127.0.9.18', { offers: ['MT-PRIORITY MIXER'] }),
      service.host('127.0.9.19', { offers: ['8BITMIME'] }),
    ]);
    const to = ['x@urgent.test', 'x@unhurried.test'];
    const id = await service.submit({ to, mailParameters: 'MT-PRIORITY=4' });
    await eventually('both have it', () => knows.mails.length + knowsNot.mails.length === 2);
    assert.equal(knows.mails[0]!.mail, `MAIL FROM:<${login.user}> MT-PRIORITY=4`);
    assert.equal(knowsNot.mails[0]!.mail, `MAIL FROM:<${login.user}>`);
    assert.equal((await service.whenDelivery(id, 'delivered')).job.envelope.mtPriority, 4);
  });

  it('who does not want to be told (NOTIFY=NEVER) is not told', async () => {
    await service.host('127.0.9.12', { answer: (line) => (line.startsWith('RCPT') ? '550 5.7.1 no' : undefined) });
    const mail = { from: 's-never@sender.example', to: ['x@never.test'], rcptParameters: 'NOTIFY=NEVER' };
    const record = await service.whenDelivery(await service.submit(mail), 'bounced');
    assert.deepEqual(record.notices, []);
  });
});

describe('over a smarthost', { concurrency: 3, ...peerOptions('dnsmasq') }, () => {
  for (const tls of ['starttls', 'implicit'] as const) {
    it(`another Pillarbox takes it after the password (${tls}) and sends it on`, async (t) => {
      const host = await startMx({ host: '127.0.9.30' });
      const relay = await startSending({ port: host.port, zone: { a: { 'far.test': '127.0.9.30' } } });
      const folder = temporaryFolder();
      writeFileSync(join(folder, 'password'), `${login.password}\n`);
      const port = tls === 'implicit' ? relay.ports.submissions : relay.ports.submission;
      const smarthost = {
        host: '127.0.0.1',
        port,
        tls,
        user: login.user,
        password: `file:${join(folder, 'password')}`,
      };
      // The other one hashes the password before it answers AUTH: on a busy machine that takes seconds.
      const delivery = { mode: 'smarthost' as const, smarthost, attemptSeconds: 60 };
      const sender = await startSending({ config: { delivery } });
      t.after(() => Promise.all([host.close(), relay.close(), sender.close()]));
      const record = await sender.whenDelivery(await sender.submit({ to: ['x@far.test', 'y@far.test'] }), 'delivered');
      assert.match(record.attempts[0].hosts[0].tls.version, /^TLSv1\.[23]$/);
      await eventually('it is there', () => host.mails.length === 1);
      assert.equal(host.mails[0]!.rcpts.length, 2);
      assert.equal(host.mails[0]!.content.match(/^Received: /gm)?.length, 2);
    });
  }

  it('that refuses the password: health says so, and the mail goes out once the password is right', async (t) => {
    let isRight = false;
    const answer = (line: string) => (line.startsWith('AUTH') ? (isRight ? '235 in' : '535 5.7.8 no') : undefined);
    const host = await startMx({ offers: ['AUTH PLAIN'], answer });
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'password'), 'secret');
    const password = `file:${join(folder, 'password')}`;
    const smarthost = { host: '127.0.0.1', port: host.port, tls: 'none' as const, user: 'app', password };
    const sender = await startSending({ config: { delivery: { mode: 'smarthost', smarthost, retrySeconds: [2] } } });
    t.after(() => Promise.all([host.close(), sender.close()]));
    const id = await sender.submit({ to: ['x@far.test'] });
    await sender.whenDelivery(id, 'waiting');
    const { problems } = await sender.json('/health');
    assert.match(
      problems.join(),
      /^the smarthost takes no mail, so it waits until .*: refused at AUTH: 535 5\.7\.8 no$/,
    );
    isRight = true;
    await sender.whenDelivery(id, 'delivered');
    assert.deepEqual((await sender.json('/health')).problems, []);
  });
});

describe('by the command line', { ...peerOptions('dnsmasq') }, () => {
  const cli = fileURLToPath(new URL('../../../cli/pillarbox.js', import.meta.url));
  const pillarbox = async (...args: string[]): Promise<any> => {
    const env = { ...process.env, PILLARBOX_PASSWORD: login.password };
    const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args, '--json'], { env });
    return JSON.parse(stdout);
  };

  it('a message is sent, its way is told, and it is tried again at once when asked to', async () => {
    const server = `127.0.0.1:${service.ports.submission}`;
    const who = ['--from', login.user, '--to', 'x@later.test', '--user', login.user, '--server', server];
    const { id } = await pillarbox('send', ...who, '--subject', 'by hand', '--text', 'Hello.');
    await service.whenDelivery(id, 'waiting');
    const told = JSON.stringify(await pillarbox('trace', id, '--url', service.http));
    assert.match(told, /ECONNREFUSED/, 'why it waits');
    const host = await service.host('127.0.9.16');
    await pillarbox('retry', id, 'later.test', '--url', service.http);
    await service.whenDelivery(id, 'delivered');
    assert.match(host.mails[0]!.content, /^Subject: by hand\r$/m);
    assert.match(JSON.stringify(await pillarbox('trace', id, '--url', service.http)), /delivered|took it/);
  });
});

function sha(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex');
}
