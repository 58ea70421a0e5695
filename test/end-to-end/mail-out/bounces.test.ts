// What a sender is told: bounces in its mailbox that programs of others understand, none where none may be, and addresses
// that are not written to again. Forwards find their way out, and their bounces the way back.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hasPeer, peerOptions } from '#test/support/peers/peers.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { drained, eventually } from '#test/support/worlds/local-service.ts';
import { login, type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

const hosts = [
  'here',
  'there',
  'dead',
  'null',
  'again',
  'success',
  'dsn',
  'late',
  'outside',
  'stranger',
  'mirror',
  'vanished',
  'cli',
  'tenants',
  'broken',
];
const zone = {
  a: {
    ...Object.fromEntries(hosts.map((name, n) => [`${name}.test`, `127.0.3.${n + 1}`])),
    'mx.sender.example': '127.0.0.1',
    'late.test': '127.0.3.100',
  },
  mx: { 'loop.test': ['10 mx.sender.example'] },
  // Strangers whose mail is proven to be theirs: reports go to those only.
  txt: Object.fromEntries(['stranger.test', 'vanished.test'].map((name) => [name, 'v=spf1 ip4:127.0.0.1 -all'])),
};
const ipOf = (name: string): string => `127.0.3.${hosts.indexOf(name) + 1}`;
const senders = hosts.map((name) => `s-${name}`);
const aliases = {
  info: ['app', 'boss@outside.test'],
  round: ['trip'],
  trip: ['round'],
  mirror: ['me@mirror.test'],
  far: ['nobody@vanished.test'],
};
let service: SendingService;

before(async () => {
  if (!hasPeer('dnsmasq')) return;
  service = await startSending({
    zone,
    mailboxes: senders,
    config: {
      users: [
        {
          name: login.user,
          password: openSesameHash,
          mayFrom: ['*@sender.example', '*@second.example'],
        },
      ],
      domains: {
        'sender.example': { mailboxes: ['app', ...senders], aliases },
        'second.example': { mailboxes: ['app'] },
      },
      // Time for several attempts after the warning is due, on a busy machine too.
      delivery: { delayWarningSeconds: 1, expireSeconds: 20 },
      limits: { hops: 8 },
    },
  });
});
after(() => service?.close());

const refusing = { answer: (line: string) => (line.startsWith('RCPT') ? '550 5.1.1 <x>: no such user' : undefined) };

describe('bounces', { concurrency: 10, ...peerOptions('dnsmasq') }, () => {
  it('arrives in the mailbox of the sender, and Sisimai and flufl.bounce read it as meant', async (t) => {
    await service.host(ipOf('dead'), refusing);
    await service.submit({
      from: 's-dead@sender.example',
      to: ['joe@dead.test'],
      mailParameters: 'RET=HDRS ENVID=QQ314',
    });
    const [bounce] = await service.whenInbox('s-dead', 1);
    assert.equal(bounce.envelope.reversePath, '');
    assert.match(bounce.from[0].address, /@mx\.sender\.example$|@sender\.example$/);
    const raw = await service.raw(bounce.id);
    assert.match(raw.toString(), /^Original-Envelope-Id: QQ314\r$/m);
    assert.match(raw.toString(), /^Content-Type: (text\/rfc822-headers|message\/rfc822-headers)/m, 'RET=HDRS');
    await t.test('Sisimai', moduleOptions('perl', '-MSisimai', '-e', '1'), () => {
      const [read, ...others]: any[] = ask('perl', ['-e', sisimai], raw);
      assert.equal(others.length, 0);
      assert.deepEqual(
        [read.recipient, read.deliverystatus, read.replycode, read.reason, read.action, read.addresser],
        ['joe@dead.test', '5.1.1', '550', 'userunknown', 'failed', 's-dead@sender.example'],
      );
    });
    await t.test('flufl.bounce', moduleOptions('/usr/bin/python3', '-c', 'import flufl.bounce'), () => {
      assert.deepEqual(ask('/usr/bin/python3', ['-c', flufl], raw), { temporary: [], permanent: ['joe@dead.test'] });
    });
  });

  it('nobody is told of what was sent from the null reverse-path', async () => {
    await service.host(ipOf('null'), refusing);
    const content = 'From: <s-null@sender.example>\r\nSubject: automatic\r\n\r\nHello.\r\n';
    const id = await service.submit({ from: '', to: ['joe@null.test'], content });
    const record = await service.whenDelivery(id, 'bounced');
    assert.deepEqual(record.notices, []);
    assert.equal((await service.inbox('s-null')).length, 0);
  });

  it('an address that bounced hard is refused with the reason, until it is taken off the list', async () => {
    const host = await service.host(ipOf('again'), refusing);
    const mail = { from: 's-again@sender.example', to: ['joe@again.test'] };
    await service.whenDelivery(await service.submit(mail), 'bounced');
    assert.match(
      await service.submit(mail),
      /^550 5\.1\.1 The address is suppressed: 550 5\.1\.1 <x>: no such user \(mail from sender\.example is refused since 20[\d-]+ [\d:]+ UTC, until 20[\d-]+ [\d:]+ UTC\)/,
    );
    assert.match(await service.submit({ ...mail, to: ['JOE@Again.test'] }), /^550 5\.1\.1 /);
    host.script = { host: ipOf('again') };
    const path = `${service.http}/api/suppressions/joe%40again.test`;
    assert.equal((await fetch(path, { method: 'DELETE' })).status, 200);
    assert.equal((await fetch(path, { method: 'DELETE' })).status, 404);
    await service.whenDelivery(await service.submit(mail), 'delivered');
  });

  it('what one domain of ours met is no reason to refuse the mail of another', async () => {
    const host = await service.host(ipOf('tenants'), refusing);
    const mail = { from: 's-tenants@sender.example', to: ['joe@tenants.test'] };
    await service.whenDelivery(await service.submit(mail), 'bounced');
    host.script = { host: ipOf('tenants') };
    assert.match(await service.submit(mail), /^550 5\.1\.1 /);
    assert.match(await service.submit({ ...mail, from: 'app@second.example' }), /^[0-9A-Z]{26}$/);
    await eventually('it took mail', () => host.mails.length === 1);
    // An address that takes anybody's mail exists.
    await eventually('it is forgotten', async () => /^[0-9A-Z]{26}$/.test(await service.submit(mail)));
    const [told] = await service.whenInbox('s-tenants', 1);
    assert.match((await service.raw(told.id)).toString(), /may\s+be\s+refused\s+at\s+once\s+for\s+a\s+while/);
  });

  it('a host that calls everybody unknown for an hour suppresses nobody', async () => {
    const host = await service.host(ipOf('broken'), refusing);
    // A few messages of many recipients: it is not about how many log in at once.
    const groups = Array.from({ length: 4 }, (_, m) =>
      Array.from({ length: 10 }, (__, n) => `user${m * 10 + n}@broken.test`),
    );
    const from = 's-broken@sender.example';
    const submitAll = async (): Promise<string[]> => {
      const said: string[] = [];
      for (const to of groups) said.push(await service.submit({ from, to }));
      assert.deepEqual(
        said.filter((one) => !/^[0-9A-Z]{26}$/.test(one)),
        [],
      );
      return said;
    };
    const ids = await submitAll();
    await Promise.all(ids.map((id) => service.whenDelivery(id, 'bounced')));
    await service.whenInbox('s-broken', ids.length);
    host.script = { host: ipOf('broken') };
    const again = await submitAll();
    await Promise.all(again.map((id) => service.whenDelivery(id, 'delivered')));
    const listed: any = await service.json('/api/suppressions?limit=500');
    assert.ok(listed.suppressions.every(({ address }: any) => !address.endsWith('@broken.test')));
  });

  it('the command line lists suppressed addresses and takes them off', async () => {
    await service.host(ipOf('cli'), refusing);
    const mail = { from: 's-cli@sender.example', to: ['joe@cli.test'] };
    await service.whenDelivery(await service.submit(mail), 'bounced');
    const cli = fileURLToPath(new URL('../../../cli/pillarbox.js', import.meta.url));
    const pillarbox = (...args: string[]) =>
      promisify(execFile)(process.execPath, [cli, ...args, '--url', service.http, '--json']);
    const listed = JSON.parse((await pillarbox('suppressions')).stdout);
    const entry = listed.suppressions.find(({ address }: any) => address === 'joe@cli.test');
    assert.match(entry.reason, /no such user/);
    assert.equal(Date.parse(entry.until) - Date.parse(entry.since), 86_400_000);
    await pillarbox('suppressions', 'remove', 'joe@cli.test');
    assert.match(await service.submit(mail), /^[0-9A-Z]{26}$/);
    await pillarbox(
      'suppressions',
      'add',
      'ann@cli.test',
      '--reason',
      'she asked for it',
      '--sender',
      'second.example',
    );
    const toAnn = { from: 'app@second.example', to: ['ann@cli.test'] };
    assert.match(await service.submit(toAnn), /^550 5\.1\.1 .*she asked for it .*until it is taken off the list/);
    assert.match(await service.submit({ ...toAnn, from: mail.from }), /^[0-9A-Z]{26}$/);
  });

  it('success is told of where it was asked for, and passed on to hosts that tell of it themselves', async () => {
    await service.host(ipOf('success'));
    const mail = {
      from: 's-success@sender.example',
      rcptParameters: 'NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;joe@success.test',
    };
    await service.submit({ ...mail, to: ['joe@success.test'] });
    const [told] = await service.whenInbox('s-success', 1);
    const text = (await service.raw(told.id)).toString();
    assert.match(text, /^Action: relayed\r$/m);
    assert.match(text, /^Original-Recipient: rfc822; ?joe@success\.test\r$/m);

    const host = await service.host(ipOf('dsn'), { offers: ['DSN'] });
    const id = await service.submit({ ...mail, from: 's-dsn@sender.example', to: ['joe@dsn.test'] });
    await service.whenDelivery(id, 'delivered');
    assert.ok(host.mails[0]!.rcpts[0]!.endsWith(' NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;joe@success.test'));
    assert.deepEqual((await service.delivery(id)).notices, []);
  });

  it('success is told of a mailbox here too, where that was asked for', async () => {
    const from = 's-here@sender.example';
    await service.submit({ from, to: ['s-there@sender.example'], rcptParameters: 'NOTIFY=SUCCESS' });
    await service.submit({ from, to: ['s-there@sender.example'] });
    await service.whenInbox('s-there', 2);
    const [told, ...others] = await service.whenInbox('s-here', 1);
    const text = (await service.raw(told.id)).toString();
    assert.match(text, /^Final-Recipient: rfc822;s-there@sender\.example\r\nAction: delivered\r$/m);
    assert.deepEqual(others, []);
  });

  it('one warning of the delay, then one bounce', async () => {
    await service.host('127.0.3.100', { answer: (line) => (line.startsWith('RCPT') ? '450 4.2.0 full' : undefined) });
    const id = await service.submit({ from: 's-late@sender.example', to: ['joe@late.test'] });
    const record = await service.whenDelivery(id, 'bounced');
    assert.ok(record.attempts.length >= 3, `${record.attempts.length} attempts`);
    const told = await service.whenInbox('s-late', 2);
    const texts = (await Promise.all(told.map(({ id: one }) => service.raw(one)))).map(String);
    assert.deepEqual(
      texts.map((text) => [/^Action: (\w+)/m.exec(text)?.[1], /^Status: (\S+)/m.exec(text)?.[1]]),
      [
        ['delayed', '4.2.0'],
        ['failed', '5.4.7'],
      ],
    );
    assert.match(texts[0]!, /^Will-Retry-Until: /m);
    assert.match(texts[1]!, /450 4\.2\.0 full/);
  });
});

describe('forwards', { concurrency: 10, ...peerOptions('dnsmasq') }, () => {
  it('an alias leads outside under a return address of ours, and a bounce to that finds its way back', async () => {
    const [outside, stranger] = await Promise.all([service.host(ipOf('outside')), service.host(ipOf('stranger'))]);
    const smtp = await rawSmtp(service.ports.mx);
    await smtp.command('EHLO mx.stranger.test');
    const content = Buffer.from('From: ann@stranger.test\r\nSubject: to the boss\r\n\r\nHello.\r\n');
    assert.match(await sendRaw(smtp, { from: 'ann@stranger.test', to: ['info@sender.example'], content }), /^250/);
    await eventually('it is forwarded', () => outside.mails.length === 1);
    await service.whenInbox('app', 1);
    const [forwarded] = outside.mails;
    const returnPath = /^MAIL FROM:<([^>]*)>/.exec(forwarded!.mail)![1]!;
    assert.match(returnPath, /^SRS0=\S+=stranger\.test=ann@sender\.example$/);
    assert.ok(forwarded!.content.endsWith(content.toString()), 'the message itself is as it was');

    const bounce = Buffer.from('From: mailer-daemon@outside.test\r\nSubject: failed\r\n\r\nSorry.\r\n');
    assert.match(await sendRaw(smtp, { from: '', to: [returnPath], content: bounce }), /^250/);
    await eventually('the bounce is back', () => stranger.mails.length === 1);
    assert.match(stranger.mails[0]!.mail, /^MAIL FROM:<>/);
    assert.match(stranger.mails[0]!.rcpts[0]!, /^RCPT TO:<ann@stranger\.test>/);

    const forged = returnPath.replace(/=ann@/, '=eve@');
    assert.match(await sendRaw(smtp, { from: '', to: [forged], content: bounce }), /^550 5\.1\.1 /);
    smtp.close();
  });

  it('the bounce of a forward goes to who sent it, and the refusal of that bounce to nobody', async () => {
    await service.host(ipOf('vanished'), refusing);
    const smtp = await rawSmtp(service.ports.mx);
    await smtp.command('EHLO mx.stranger.test');
    const content = Buffer.from('From: ann@vanished.test\r\nSubject: x\r\n\r\nHello.\r\n');
    const said = await sendRaw(smtp, { from: 'ann@vanished.test', to: ['far@sender.example'], content });
    smtp.close();
    const id = said.match(/[0-9A-Z]{26}/)![0];
    const record = await service.whenDelivery(id, 'bounced');
    assert.equal(record.notices.length, 1);
    const dsn = await service.whenDelivery(record.notices[0].id, 'bounced');
    assert.equal(dsn.job.envelope.reversePath, '');
    assert.deepEqual(
      dsn.job.envelope.recipients.map(({ forwardPath }: any) => forwardPath),
      ['ann@vanished.test'],
    );
    assert.deepEqual(dsn.notices, []);
  });

  it('aliases that lead to each other are refused', async () => {
    const smtp = await rawSmtp(service.ports.mx);
    await smtp.command('EHLO mx.stranger.test');
    await smtp.command('MAIL FROM:<ann@stranger.test>');
    assert.match(await smtp.command('RCPT TO:<round@sender.example>'), /^550 /);
    smtp.close();
  });

  it('a host that sends everything back is cut off after some rounds', async () => {
    const mirror = await service.host(ipOf('mirror'));
    let content = Buffer.from('From: ann@mirror.test\r\nSubject: round and round\r\n\r\nHello.\r\n');
    const smtp = await rawSmtp(service.ports.mx);
    await smtp.command('EHLO mirror.test');
    let said = '';
    for (let round = 1; round < 20; round++) {
      said = await sendRaw(smtp, { from: 'ann@mirror.test', to: ['mirror@sender.example'], content });
      if (!said.startsWith('250')) break;
      await eventually('the next round', () => mirror.mails.length === round);
      content = Buffer.from(mirror.mails.at(-1)!.content, 'latin1');
    }
    smtp.close();
    assert.match(said, /^554 5\.4\.6 /);
    assert.ok(mirror.mails.length <= 9, `${mirror.mails.length} rounds`);
  });

  it('a domain whose mail host we are, though it is none of ours, bounces instead of coming back', async () => {
    const id = await service.submit({ from: 's-mirror@sender.example', to: ['x@loop.test'] });
    const record = await service.whenDelivery(id, 'bounced');
    assert.equal(record.recipients[0].status, '5.4.6');
  });
});

describe('in the end', { ...peerOptions('dnsmasq') }, () => {
  it('no queue has anything left, alive or dead', async () => {
    await drained(service);
    const queues: any[] = await service.json('/api/queues');
    assert.deepEqual(
      queues.map(({ dead }) => dead),
      [0, 0, 0, 0, 0],
    );
  });
});

const sisimai = 'use Sisimai; local $/; my $m = <STDIN>; print Sisimai->dump(\\$m, "delivered" => 1) // "[]"';
const flufl = `
import sys, email, json
from flufl.bounce import all_failures
temporary, permanent = all_failures(email.message_from_bytes(sys.stdin.buffer.read()))
print(json.dumps({'temporary': sorted(x.decode() for x in temporary), 'permanent': sorted(x.decode() for x in permanent)}))
`;

function ask(command: string, args: string[], message: Uint8Array): any {
  const { status, stdout, stderr } = spawnSync(command, args, { input: message });
  assert.equal(status, 0, stderr.toString());
  return JSON.parse(stdout.toString());
}

/** Skips where the interpreter cannot load what it needs; fails under CI. */
function moduleOptions(command: string, ...args: string[]): { skip?: string } {
  if (spawnSync(command, args).status === 0) return {};
  if (process.env['CI']) throw new Error(`${command} ${args.join(' ')} does not work here`);
  return { skip: `needs ${args.join(' ')}` };
}
