// Who is told of mail in both worlds: by the service as a process, which is killed while a hook is being told, and by the bundles that
// ship. One handler, developed on a laptop and deployed unchanged, gets the same of both.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readMail } from '#consume/read-mail.ts';
import { verifyWebhook } from '#consume/verify-webhook.ts';
import { startEmulatorWorld } from '#local/emulator/start-emulator.ts';
import { deleteEach } from '#ops/messages/delete-messages.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { fixedConfigSource } from '#pipeline/config/config-source.ts';
import { startMailRule, visibilitySeconds } from '#test/support/aws/mail-rule.ts';
import { sharedBundles } from '#test/support/aws/shared-bundles.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { toldIn, writeHandler } from '#test/support/peers/handler.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { startWebhookReceiver, type TakenWebhook } from '#test/support/peers/webhook-receiver.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { eventually, startLocalService } from '#test/support/worlds/local-service.ts';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const subjects = async (taken: readonly TakenWebhook[], now: () => number = Date.now) => {
  const payloads = taken.map((one) => verifyWebhook(one, { secret, now }).payload);
  return (await Promise.all(payloads.map((payload) => readMail(payload)))).flat().map(({ subject }) => subject);
};

const quotes = `${'"'.repeat(70)}\r\n`.repeat(2_800); // in JSON twice as long: over what a webhook on AWS gets whole
const content = Buffer.from(
  [
    'From: Ann <ann@sender.example>',
    'Subject: the bells ring',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    quotes,
    '--b',
    'Content-Type: text/csv; name=rain.csv',
    'Content-Disposition: attachment; filename=rain.csv',
    '',
    'day,mm',
    '--b--',
    '',
  ].join('\r\n'),
);
/** What the handler was told of. */
const told: { onOneMachine?: any; onAws?: any } = {};

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pillarbox-hooks-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('on one machine a hook that fails, or is killed amid the call, is told; one that is slow holds up no other', async (t) => {
  const folder = await folderOf(t);
  const slow = await startWebhookReceiver(t, () => {});
  const flaky = await startWebhookReceiver(t, (response, n) => response.writeHead(n === 1 ? 503 : 200).end());
  const held = await startWebhookReceiver(t, (response, n) => (n === 1 ? undefined : response.writeHead(200).end()));
  const hook = (name: string, url: string, match: object = { mailbox: 'support' }) => ({
    name,
    url,
    secret: 'env:HOOK',
    match,
  });
  const hooks = [
    hook('slow', slow.url),
    hook('flaky', flaky.url),
    hook('held', held.url, { subject: '*bells*', mailbox: 'support' }),
    {
      name: 'filed',
      match: { mailbox: 'support' },
      command: ['sh', '-c', 'cat >> taken.jsonl; echo >> taken.jsonl; test -e again || { touch again; exit 1; }'],
    },
    { name: 'handler', match: { mailbox: 'support' }, module: writeHandler(folder) },
    hook('none', 'http://127.0.0.1:1/', { subject: 'another' }),
    hook('withdrawn', 'http://127.0.0.1:1/', { mailbox: 'withdrawn' }),
  ];
  const start = () => startLocalService(t, { folder, config: { hooks }, environment: { HOOK: secret } });
  const service = await start();
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO mx.sender.example');
  await sendRaw(smtp, { to: ['support@receiver.example'], content });
  await eventually('all three are called', () => slow.taken.length + flaky.taken.length + held.taken.length === 3);
  const [{ id }] = (await service.json('/api/messages')).messages;
  await sendRaw(smtp, { to: ['withdrawn@receiver.example'], content: Buffer.from('Subject: a draft\r\n\r\n') });
  smtp.close();
  await eventually('its hook failed once', () => /"hook-failed".*"hook":"withdrawn"/.test(service.output()));
  await service.json('/api/messages?mailbox=withdrawn@receiver.example', { method: 'DELETE' });
  const waiting =
    /^on queue notify until this is mended: hook flaky failed in attempt 1: it answered 503; tried again at 20/;
  await eventually('the trace says which hook waits, and why', async () => {
    const { where } = await service.json(`/api/messages/${id}/trace`);
    return where.some((place: string) => waiting.test(place));
  });
  const traced = async (from: typeof service): Promise<string[]> =>
    (await from.json(`/api/messages/${id}/trace`)).events.map(({ text }: any) => text);
  const failed = /^hook flaky was called and failed: it answered 503.*; called again at 20/;
  assert.ok((await traced(service)).some((text) => failed.test(text)));
  await service.kill();
  const again = await start();
  await eventually('both are told', () => flaky.taken.length === 2 && held.taken.length === 2);
  assert.deepEqual(await subjects(held.taken), ['the bells ring', 'the bells ring']);
  const filed = () => readFileSync(join(folder, 'taken.jsonl'), 'utf8').trim().split('\n');
  await eventually('the command that failed is run again', () => filed().length >= 2);
  for (const line of filed()) assert.equal((await readMail(line))[0]?.subject, 'the bells ring');
  const isDone = /"hook-told".*"hook":"handler"/;
  await eventually('the handler that failed is called again', () => isDone.test(again.output()));
  [told.onOneMachine] = toldIn(folder);
  const texts = await traced(again);
  assert.ok(texts.includes('hook flaky was called (attempt 2): it answered 200'), texts.join('\n'));
  assert.ok(texts.some((text) => /^hook handler was called \(attempt 2\): it took the message/.test(text)));
  const ids = new Set([...held.taken, ...flaky.taken].map(({ headers }) => headers['webhook-id']));
  assert.equal(ids.size, 2, 'each hook has one id, however often it is called');
  const isDeleted = /"hook-mail-deleted".*"hook":"withdrawn"/;
  await eventually('the hook of the deleted message is told no more', () => isDeleted.test(again.output()));
  await again.json(`/api/messages/${id}/replay`, { method: 'POST' });
  await eventually('a replay tells them again', () => held.taken.length === 3);
  const { queues = await again.json('/api/queues') } = {};
  assert.equal(queues.find(({ name }: any) => name === 'notify').dead, 0);
});

test('on AWS the bundles that ship tell a hook, and again after a failure; a large message by a link that needs no account', async (t) => {
  const folder = await folderOf(t);
  await writeFile(join(folder, 'webhook-tickets'), secret);
  const receiver = await startWebhookReceiver(t, (response, n) => response.writeHead(n === 1 ? 503 : 200).end('busy'));
  const rule = await startMailRule(t);
  const log = silentLog();
  const dns = { servers: ['127.0.0.1:1'], timeoutSeconds: 1, temperrorRetrySeconds: [] };
  const webhook = { url: receiver.url, secret: 'secret:webhook-tickets' };
  const hooks = [
    { ...webhook, name: 'tickets', match: { subject: '*bells*' } },
    { ...webhook, name: 'withdrawn', match: { subject: 'a draft' }, url: 'http://127.0.0.1:1/' },
  ];
  const config = configSchema.parse({ mode: 'capture', hostname: 'mx.receiver.example', dns, hooks });
  const world = await startEmulatorWorld({
    folder: join(folder, 'emulator'),
    config: fixedConfigSource(config),
    secretsFolder: folder,
    filesFolder: folder,
    environment: { PILLARBOX_EVENT_BUS: 'default', AWS_ENDPOINT_URL_EVENTBRIDGE: rule.endpoint },
    clock: Date.now,
    log,
    metrics: noMetrics(),
    write: () => {},
    bundles: join(await sharedBundles(), 'functions'),
  });
  t.after(() => world.close(1));
  await rule.runFunction(world, join(folder, writeHandler(folder)));
  const draft = Buffer.from('Subject: a draft\r\n\r\n');
  const jobs = [sampleReceivedJob({ content }), sampleReceivedJob({ content: draft })] as const;
  for (const [job, body] of [[jobs[0], content] as const, [jobs[1], draft] as const]) {
    const writer = world.intake.open({ key: job.raw.key, envelope: { reversePath: job.envelope.reversePath } });
    await writer.write(body);
    await writer.commit(job);
  }
  const of = (hook: string, wanted: string) =>
    log.entries.find(({ event, fields }) => event === wanted && fields?.['hook'] === hook);
  await eventually('both failed', () => of('tickets', 'hook-failed') && of('withdrawn', 'hook-failed'));
  assert.equal(await deleteEach(world, [jobs[1].id], null), 1);
  const failed = of('tickets', 'hook-failed');
  assert.deepEqual([failed?.fields?.['hook'], failed?.fields?.['reason']], ['tickets', 'it answered 503: busy']);
  await eventually('the function failed', () => rule.handled() > 0);
  const aheadMs = (visibilitySeconds + 1) * 1_000;
  await world.time.setAhead(aheadMs);
  await eventually('it is told', () => of('tickets', 'hook-told'));
  await eventually('the other was deleted', () => of('withdrawn', 'hook-mail-deleted'));
  await eventually('the function is called again, and is done', () => toldIn(folder).length > 0);
  [told.onAws] = toldIn(folder);
  const ahead = () => Date.now() + aheadMs;
  assert.deepEqual(await subjects(receiver.taken.slice(1), ahead), ['the bells ring']);
  assert.equal(receiver.taken.length, 2);
  const { data } = JSON.parse(String(receiver.taken[1]?.body));
  assert.equal(data.schema, 'message-link/1');
  assert.ok(data.bytes > 262_144 && Number(receiver.taken[1]?.body.length) < 4_096);
  assert.equal((await fetch(data.url)).status, 200);
  assert.equal((await world.admin.queues()).find(({ name }) => name === 'notify')?.dead, 0);
  await world.time.setAhead(3_700_000);
  assert.equal((await fetch(data.url)).status, 403, 'after an hour it leads nowhere');
});

test('one handler file gets the same event and reads the same mail on one machine and behind a MailRule on AWS', () => {
  const { subject, text, attachment, isRaw } = told.onOneMachine;
  assert.deepEqual(
    [subject, text.trim().split(/\s+/).length, attachment.trim(), isRaw],
    ['the bells ring', 2_800, 'day,mm', true],
  );
  assert.deepEqual(told.onOneMachine, told.onAws);
});
