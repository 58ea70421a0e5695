// Nobody gets mail through to the outside who may not: every trick at every port of a running service, with the reply it
// must get; in the end nothing was sent to anybody, and nothing waits to be.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { hasPeer, peerOptions } from '#test/support/peers/peers.ts';
import { type RawSmtp, rawSmtp, secured, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { drained } from '#test/support/worlds/local-service.ts';
import { login, type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

const zone = { a: { 'outside.test': '127.0.4.1', 'mx.sender.example': '127.0.0.1' } };
let service: SendingService;
let outside: Awaited<ReturnType<SendingService['host']>>;

before(async () => {
  if (!hasPeer('dnsmasq')) return;
  const domains = { 'sender.example': { mailboxes: ['app', 'bob'] }, 'other.example': { mailboxes: ['eve'] } };
  service = await startSending({ zone, config: { domains } });
  outside = await service.host('127.0.4.1');
});
after(() => service?.close());

const token = Buffer.from(`\0${login.user}\0${login.password}`).toString('base64');

type Door = 'mx' | 'mx under TLS' | 'submission' | 'submission under TLS' | 'submissions';

async function enter(door: Door): Promise<RawSmtp> {
  const { mx, submission, submissions } = service.ports;
  const smtp =
    door === 'submissions'
      ? await rawSmtp(submissions, { tls: true })
      : await rawSmtp(door.startsWith('mx') ? mx : submission);
  const inside = door.endsWith('under TLS') ? await secured(smtp) : smtp;
  await inside.command('EHLO client.sender.example');
  return inside;
}

/** Says all lines on a fresh connection; the replies to each, `closed` where the connection ended. */
async function say(door: Door, lines: readonly string[]): Promise<string[]> {
  const smtp = await enter(door);
  const said: string[] = [];
  for (const line of lines) said.push(await smtp.command(line).catch(() => 'closed'));
  smtp.close();
  return said;
}

const denied = /^550 5\.7\.1 /;
const unknown = /^550 5\.1\.1 /;
const syntax = /^501 5\.1\.3 /;
const recipients: readonly { readonly to: string; readonly says: RegExp }[] = [
  { to: '<joe@outside.test>', says: denied },
  { to: '<joe@OUTSIDE.test.>', says: denied },
  { to: '<JOE@xn--mnchen-3ya.test>', says: denied },
  { to: '<@mx.sender.example:joe@outside.test>', says: denied },
  { to: '<@sender.example,@mx.sender.example:joe@outside.test>', says: denied },
  { to: '<joe%outside.test@sender.example>', says: unknown },
  { to: '<joe%outside.test@mx.sender.example>', says: /^550 5\.(1|7)\.1 / },
  { to: '<joe%outside.test@[127.0.0.1]>', says: denied },
  { to: '<joe%outside.test>', says: syntax },
  { to: '<outside.test!joe@sender.example>', says: unknown },
  { to: '<outside.test!joe>', says: syntax },
  { to: '<sender.example!outside.test!joe@sender.example>', says: unknown },
  { to: '<"joe@outside.test"@sender.example>', says: unknown },
  { to: '<"joe%outside.test"@sender.example>', says: unknown },
  { to: '<joe@outside.test@sender.example>', says: syntax },
  { to: '<joe@sender.example@outside.test>', says: syntax },
  { to: '<"joe@sender.example"@outside.test>', says: denied },
  { to: '<app+joe=outside.test@outside.test>', says: denied },
  { to: '<joe@mx.sender.example>', says: /^550 5\.(1|7)\.1 / },
  { to: '<app@mx.sender.example>', says: /^550 5\.(1|7)\.1 / },
  { to: '<joe@localhost>', says: denied },
  { to: '<joe@[127.0.0.1]>', says: denied },
  { to: '<app@[127.0.4.1]>', says: denied },
  { to: '<joe@[IPv6:::1]>', says: denied },
  { to: '<joe@127.0.4.1>', says: syntax },
  { to: '<joe@sub.sender.example>', says: denied },
  { to: '<joe@sender.example.outside.test>', says: denied },
  { to: '<app@sender.exampl>', says: denied },
  { to: '<nobody@sender.example>', says: unknown },
  { to: '<app@sender.example>,<joe@outside.test>', says: syntax },
  { to: '<app@sender.example> <joe@outside.test>', says: /^(501|555) 5\.(1\.3|5\.4) / },
  { to: '<app@sender.example> RELAY=yes', says: /^555 5\.5\.4 / },
  { to: '<joe@outside.test> ORCPT=rfc822;app@sender.example', says: denied },
  { to: '<joe>', says: syntax },
  { to: 'joe@outside.test', says: syntax },
  { to: '<>', says: syntax },
  { to: '<SRS0=AAAA=7Q=outside.test=joe@sender.example>', says: unknown },
  { to: '<SRS1=AAAA=outside.test==AAAA=7Q=outside.test=joe@sender.example>', says: unknown },
  { to: '<srs0+AAAA=7Q=outside.test=joe@sender.example>', says: unknown },
];
const senders = ['', 'ann@stranger.test', 'app@sender.example', 'postmaster@mx.sender.example', 'app@[127.0.0.1]'];

describe('at the door of strangers', { concurrency: 4, ...peerOptions('dnsmasq') }, () => {
  for (const { to, says } of recipients) {
    it(`RCPT TO:${to} is refused, whoever says so`, async () => {
      for (const sender of senders) {
        const [from, rcpt, data] = await say(sender === '' ? 'mx under TLS' : 'mx', [
          `MAIL FROM:<${sender}>`,
          `RCPT TO:${to}`,
          'DATA',
        ]);
        assert.match(from!, /^250 /, sender);
        assert.match(rcpt!, says, sender);
        assert.match(data!, /^(503|554) 5\.5\.1 /, sender);
      }
    });
  }

  it('a source route over others leads to the mailbox at its end, and nowhere else', async () => {
    const [, rcpt] = await say('mx', [
      'MAIL FROM:<ann@stranger.test>',
      'RCPT TO:<@outside.test:bob@sender.example>',
      'RSET',
    ]);
    assert.match(rcpt!, /^250 /);
  });

  for (const door of ['mx', 'mx under TLS'] as const) {
    it(`nobody logs in: ${door}`, async () => {
      const [auth] = await say(door, [`AUTH PLAIN ${token}`]);
      assert.match(auth!, /^502 5\.5\.1 /);
    });
  }
});

describe('at the doors of users', { concurrency: 4, ...peerOptions('dnsmasq') }, () => {
  const before530 = ['MAIL FROM:<app@sender.example>', 'RCPT TO:<joe@outside.test>', 'DATA'];
  for (const door of ['submission', 'submission under TLS', 'submissions'] as const) {
    it(`nothing is taken before the password: ${door}`, async () => {
      const [mail, rcpt, data] = await say(door, before530);
      assert.match(mail!, /^530 5\.7\.0 /);
      assert.match(rcpt!, /^(503 5\.5\.1|530 5\.7\.0) /);
      assert.match(data!, /^(503 5\.5\.1|530 5\.7\.0) /);
    });
  }

  it('not even to a mailbox of our own', async () => {
    const said = await say('submissions', ['MAIL FROM:<ann@stranger.test>', 'RCPT TO:<app@sender.example>']);
    assert.match(said[0]!, /^530 5\.7\.0 /);
  });

  it('no password is taken in clear, and none is asked for', async () => {
    const smtp = await rawSmtp(service.ports.submission);
    assert.doesNotMatch(await smtp.command('EHLO client.sender.example'), /AUTH/);
    for (const line of [`AUTH PLAIN ${token}`, 'AUTH PLAIN', 'AUTH LOGIN', 'AUTH LOGIN YXBw']) {
      assert.match(await smtp.command(line), /^538 5\.7\.11 /, line);
    }
    assert.match(await smtp.command('MAIL FROM:<app@sender.example>'), /^530 5\.7\.0 /);
    smtp.close();
  });

  it('what was said in clear before STARTTLS does not count after it', async () => {
    const smtp = await rawSmtp(service.ports.submission);
    await smtp.command('EHLO client.sender.example');
    smtp.socket.write(`STARTTLS\r\nAUTH PLAIN ${token}\r\nMAIL FROM:<app@sender.example>\r\n`);
    const said = await smtp.reply();
    assert.doesNotMatch(said, /^235/);
    smtp.close();
  });

  const wrong: readonly { readonly title: string; readonly token: string; readonly says: RegExp }[] = [
    { title: 'a wrong password', token: `\0${login.user}\0wrong`, says: /^535 5\.7\.8 / },
    { title: 'an empty password', token: `\0${login.user}\0`, says: /^5(35 5\.7\.8|01 5\.5\.2) / },
    { title: 'no such user', token: '\0nobody@sender.example\0open sesame', says: /^535 5\.7\.8 / },
    { title: 'a name of the object prototype', token: '\0__proto__\0open sesame', says: /^535 5\.7\.8 / },
    {
      title: 'the password of one user for another',
      token: `boss@sender.example\0bob@sender.example\0${login.password}`,
      says: /^535 /,
    },
    { title: 'acting for another', token: `boss@sender.example\0${login.user}\0${login.password}`, says: /^535 / },
  ];
  for (const { title, token: given, says } of wrong) {
    it(`${title}: refused, and still nothing is taken`, async () => {
      const [auth, mail] = await say('submissions', [
        `AUTH PLAIN ${Buffer.from(given).toString('base64')}`,
        'MAIL FROM:<app@sender.example>',
      ]);
      assert.match(auth!, says);
      assert.match(mail!, /^530 5\.7\.0 /);
    });
  }

  const others = [
    'eve@other.example',
    'joe@outside.test',
    'app@sub.sender.example',
    'app@sender.example.outside.test',
    '"app@sender.example"@outside.test',
    'app@[127.0.0.1]',
  ];
  for (const from of others) {
    it(`a user may not send from ${from}`, async () => {
      const said = await say('submissions', [
        `AUTH PLAIN ${token}`,
        `MAIL FROM:<${from}>`,
        'RCPT TO:<joe@outside.test>',
      ]);
      assert.match(said[1]!, /^553 5\.7\.1 /);
      assert.match(said[2]!, /^503 /);
    });
  }

  const fields: readonly { readonly field: string; readonly says?: RegExp }[] = [
    { field: 'From: joe@outside.test' },
    { field: 'From: eve@other.example' },
    { field: 'From: app@sender.example, joe@outside.test' },
    { field: 'From: "app@sender.example" <joe@outside.test>' },
    { field: 'From: joe@outside.test (app@sender.example)' },
    { field: 'From: Group: app@sender.example, joe@outside.test;' },
    { field: 'From: app@sender.example\r\nFrom: joe@outside.test', says: /^550 5\.6\.0 / },
    { field: 'From: joe@outside.test\r\nFrom: app@sender.example', says: /^550 5\.6\.0 / },
    { field: 'from : joe@outside.test' },
    { field: 'From:\r\n joe@outside.test' },
    { field: 'From: <joe@outside.test> <app@sender.example>' },
    { field: 'From: app@sender.example\r\nSender: joe@outside.test' },
    { field: 'From: =?utf-8?q?app=40sender.example?= <joe@outside.test>' },
    { field: 'From: <@sender.example:joe@outside.test>' },
    { field: 'From: app@sender.example <joe@outside.test' },
    { field: 'From: nobody', says: /^550 5\.(7\.1|6\.0) / },
    { field: 'From: ', says: /^550 5\.6\.0 / },
  ];
  for (const { field, says = /^550 5\.7\.1 / } of fields) {
    it(`a user may not write ${JSON.stringify(field)}`, async () => {
      const smtp = await enter('submissions');
      await smtp.command(`AUTH PLAIN ${token}`);
      const content = Buffer.from(`${field}\r\nSubject: x\r\n\r\nHello.\r\n`);
      assert.match(await sendRaw(smtp, { from: login.user, to: ['joe@outside.test'], content }), says);
      smtp.close();
    });
  }
});

describe('in the end', { ...peerOptions('dnsmasq') }, () => {
  it('nothing of all that was sent, kept, or waits', async () => {
    await drained(service);
    assert.equal(outside.connections(), 0);
    assert.deepEqual((await service.json('/api/deliveries')).deliveries, []);
    assert.deepEqual((await service.json('/api/messages')).messages, []);
  });

  it('while what a user may send gets through', async () => {
    const id = await service.submit({ to: ['joe@outside.test'] });
    await service.whenDelivery(id, 'delivered');
    assert.equal(outside.mails.length, 1);
  });
});
