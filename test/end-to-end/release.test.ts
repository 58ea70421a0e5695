// What a person lets go, over sockets: a captured message sent on to a real host, and one that is taken out of quarantine. By the API,
// by the command line and by Mailpit's client. PILLARBOX_TEST_WORLD says in which world.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { MailpitClient } from 'mailpit-api';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { startScriptedDns } from '#test/support/peers/scripted-dns.ts';
import { type Script, startMx } from '#test/support/peers/scripted-mx.ts';
import { startWebhookReceiver } from '#test/support/peers/webhook-receiver.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { allMessages, drained, eventually, startLocalService } from '#test/support/worlds/local-service.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';

const texts = { 'bank.example': 'v=spf1 -all', '_dmarc.bank.example': 'v=DMARC1; p=reject' };
const folder = temporaryFolder();
const life = { after: (end: any) => after(end) };
after(() => rmSync(folder, { recursive: true, force: true }));
const dns = await startScriptedDns(() => 0, texts);
after(dns.close);
const relay = await startMx();
after(relay.close);
const hook = await startWebhookReceiver(life);
const service = await startLocalService(life, {
  folder,
  args: ['--world', process.env['PILLARBOX_TEST_WORLD'] ?? 'embedded'],
  environment: { HOOK: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
  config: {
    release: { to: ['me@mail.example', '*@team.example'] },
    delivery: {
      mode: 'smarthost',
      smarthost: { host: '127.0.0.1', port: relay.port, tls: 'none' },
      allowPrivateTargets: true,
    },
    dns: { servers: [dns.server], timeoutSeconds: 2, temperrorRetrySeconds: [] },
    hooks: [{ name: 'inbox', url: hook.url, secret: 'env:HOOK', match: { folder: 'inbox', from: 'ceo@bank.example' } }],
  },
});

/** Over SMTP; the message once it is stored. */
async function capture(content: string, to: readonly string[] = ['ann@app.example']): Promise<any> {
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO client.example');
  const said = await sendRaw(smtp, { from: 'app@shop.example', to, content: Buffer.from(content) });
  smtp.close();
  const id = /\b[0-9A-HJKMNP-TV-Z]{26}\b/.exec(said)?.[0] ?? assert.fail(said);
  return eventually('it is stored', async () => {
    const response = await fetch(`${service.http}/api/messages/${id}`);
    return response.ok ? await response.json() : null;
  });
}

async function release(id: string, ...to: readonly string[]) {
  const headers = { 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify({ to }) };
  const response = await fetch(`${service.http}/api/messages/${id}/release`, init);
  return { status: response.status, said: (await response.json()) as any };
}

const whenDelivery = (id: string, state: string) =>
  eventually(`the delivery of ${id} is ${state}`, async () => {
    const { deliveries } = await service.json(`/api/deliveries?id=${id}`);
    return deliveries.length > 0 && deliveries.every((one: any) => one.state === state) ? deliveries : null;
  });
const traceOf = async (id: string): Promise<string> => {
  const { events } = await service.json(`/api/messages/${id}/trace`);
  return events.map(({ event, text }: any) => `${event}: ${text}`).join('\n');
};

/** What the server tells of from now on. */
async function watchEvents(): Promise<() => string> {
  const { body } = await fetch(`${service.http}/api/events`);
  let text = '';
  void (async () => {
    for await (const chunk of body ?? []) text += Buffer.from(chunk).toString();
  })().catch(() => {});
  await eventually('it listens', () => text !== '');
  return () => text;
}

const mail =
  'From: app@shop.example\r\nTo: ann@app.example\r\nBcc: secret@app.example\r\nSubject: hi\r\n\r\n.dots\r\n..\r\nhello\r\n';

test('a captured message reaches the real host byte for byte, behind one trace field, without its Bcc and from nobody', async () => {
  const { id, raw } = await capture(mail);
  const stored = Buffer.from(await (await fetch(`${service.http}/api/messages/${id}/raw`)).arrayBuffer()).toString();
  const { status, said } = await release(id, 'me@mail.example');
  assert.deepEqual([status, said.outcome, said.of, said.reversePath], [202, 'queued', id, '']);
  assert.deepEqual(said.deliveries, [{ id: said.id, domain: 'mail.example' }]);
  await whenDelivery(said.id, 'delivered');
  const [sent] = relay.mails.splice(0);
  assert.deepEqual([sent?.mail.split(' SIZE=')[0], sent?.rcpts], ['MAIL FROM:<>', ['RCPT TO:<me@mail.example>']]);
  const trace = new RegExp(`^Received: from \\S+ by \\S+ \\(Pillarbox\\)\\s+id ${said.id};[^\\r]*\\r\\n`);
  assert.match(sent?.content ?? '', trace);
  const kept = stored.replace(/Bcc: .*\r\n/, '').replace(/\s+for <ann@app\.example>;/, ';');
  assert.equal(sent?.content.replace(trace, ''), kept);
  assert.notEqual(kept.length, raw.bytes, 'the stored message has both');
  assert.match(
    await traceOf(id),
    new RegExp(`^released: released by 127\\.0\\.0\\.1 to me@mail\\.example: .* ${said.id}$`, 'm'),
  );
  assert.match(
    await traceOf(said.id),
    new RegExp(`^released: released by 127\\.0\\.0\\.1: a copy of message ${id}\nattempt: .*me@mail`),
  );
});

test('the capture server relays nothing to addresses that the configuration does not name', async () => {
  const { id } = await capture(mail, ['you@mail.example']);
  const { status, said } = await release(id, 'you@mail.example');
  assert.deepEqual([status, said.error.code], [403, 'release-not-allowed']);
  assert.match(
    said.error.message,
    /^release\.to in the configuration does not allow you@mail\.example; it allows me@mail\.example/,
  );
  for (const address of ['me@mail.example>\r\nRCPT TO:<x@evil.example', 'me@mail.example\r\n', '<me@mail.example>']) {
    assert.equal((await release(id, address)).status, 400, JSON.stringify(address));
  }
  const many = Array.from({ length: 21 }, (_, n) => `m${n}@team.example`);
  assert.equal((await release(id, ...many)).status, 400);
});

test('one that fails is told of in its delivery and trace, and nobody gets a bounce', async () => {
  relay.script = {
    answer: (line: string) => (/^RCPT/.test(line) ? '550 5.1.1 no such user' : undefined),
  } satisfies Script;
  const { id } = await capture(mail);
  const before = (await allMessages(service)).length;
  const { said } = await release(id, 'gone@team.example');
  const [delivery] = await whenDelivery(said.id, 'bounced');
  relay.script = {};
  assert.match(delivery.reason, /550 5\.1\.1 no such user|no such user/);
  assert.match(await traceOf(said.id), /gone@team\.example refused \(550 5\.1\.1 no such user\)/);
  assert.equal((await allMessages(service)).length, before);
  assert.deepEqual(delivery.record.notices, []);
});

test('by the command line and by the client of Mailpit', async () => {
  const { id } = await capture(mail);
  relay.mails.splice(0);
  const ran = await runInProcess(['release', id, 'a@team.example', 'b@team.example', '--url', service.http]);
  assert.match(ran.out, /^on its way to a@team\.example, b@team\.example as message /, ran.err);
  const refused = await runInProcess(['release', id, 'a@evil.example', '--url', service.http]);
  assert.match(`${refused.code} ${refused.err}`, /^1 .*release\.to in the configuration/);
  const mailpit = new MailpitClient(service.http);
  assert.equal(await mailpit.releaseMessage(id, { To: ['me@mail.example'] }), 'ok');
  await assert.rejects(mailpit.releaseMessage(id, { To: ['me@evil.example'] }));
  const { MessageRelay } = await mailpit.getConfiguration();
  assert.deepEqual(
    [MessageRelay?.Enabled, MessageRelay?.AllowedRecipients],
    [true, '^(?:me@mail\\.example|.*@team\\.example)$'],
  );
  await eventually('all are sent', () => relay.mails.flatMap(({ rcpts }) => rcpts).length === 3);
});

test('a forged message goes from quarantine to the inbox of its mailboxes, and consumers see it come once', async () => {
  const forged = 'From: ceo@bank.example\r\nTo: ann@app.example\r\nSubject: urgent\r\n\r\nPay now.\r\n';
  const mailboxes = ['ann@app.example', 'bob@app.example'];
  const { id, disposition } = await capture(forged, mailboxes);
  assert.equal(disposition.action, 'quarantine');
  const since = new Date().toISOString();
  const seen = await watchEvents();
  const accepted = await Promise.all([1, 2].map(() => service.json(`/api/messages/${id}/accept`, { method: 'POST' })));
  assert.deepEqual(accepted[0], { id, outcome: 'queued', mailboxes });
  const isIn = async (address: string) => {
    const message = await service.json(`/api/messages/${id}?mailbox=${encodeURIComponent(address)}`);
    return message.disposition.action === 'accept' ? message : null;
  };
  for (const address of mailboxes) {
    const message = await eventually(`${address} has it`, () => isIn(address));
    const { released, ...was } = message.disposition;
    assert.deepEqual(was, { action: 'accept', reason: disposition.reason });
    assert.deepEqual([released.by, released.at >= since], ['127.0.0.1', true]);
  }
  await eventually('hooks are told', () => hook.taken.length >= 2);
  const again = await runInProcess(['accept', id, '--url', service.http]);
  assert.match(again.out, /^it is in the inbox of ann@app\.example, bob@app\.example already/, again.err);
  const [listed] = (await service.json(`/api/messages?q=${encodeURIComponent(`id:${id}`)}`)).messages;
  assert.deepEqual([listed.disposition, listed.mailboxes], ['accept', mailboxes]);
  assert.match(
    await traceOf(id),
    /^judged: quarantined: [\s\S]*^released: released from quarantine by 127\.0\.0\.1, into the inbox of ann@app/m,
  );
  await eventually('it is said that quarantine has it no more', () => /^event: changed$/m.test(seen()));
  assert.equal(seen().match(/^event: message$/gm)?.length, 2, 'it came once to each mailbox');
  assert.doesNotMatch(seen(), /^event: deleted$/m);
  await drained(service);
  await service.json(`/api/messages/${id}`, { method: 'DELETE' });
  const gone = await service.json(`/api/messages/${id}/accept`, { method: 'POST' });
  assert.match(
    `${gone.error.code} ${gone.error.message}`,
    /^not-found message .* what was deleted cannot be brought back/,
  );
  assert.equal(hook.taken.length, 2);
});
