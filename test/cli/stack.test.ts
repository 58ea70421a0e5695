// `--stack NAME`: the command line as people run it, against a deployment in the emulator, found by its name alone.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { packBody } from '#pipeline/aws/pack.ts';
import type { DeliverJob } from '#pipeline/contract/jobs.ts';
import { configKey, deliveryKey, messageKey, suppressionKey } from '#pipeline/contract/keys.ts';
import { newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { inboxMessageRecord } from '#pipeline/contract/records/inbox-message.ts';
import { type EmulatedDeployment, emulateDeployment } from '#test/support/aws/emulated-deployment.ts';
import { denied, type OperatorsAws, operatorsAws, throttled } from '#test/support/aws/operators-aws.ts';
import { collect } from '#test/support/fakes/memory-store.ts';
import { sampleDeliverJob, sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { runInProcess, runPillarbox } from '#test/support/worlds/run-pillarbox.ts';

const config = {
  hostname: 'mx.receiver.example',
  domains: {
    'receiver.example': { mailboxes: ['support', 'sales'], aliases: { info: ['support', 'sales'] } },
    'other.example': { mailboxes: ['ann'] },
  },
  dns: { temperrorRetrySeconds: [] },
  release: { to: ['me@far.example'] },
};
let stack: EmulatedDeployment;
let aws: OperatorsAws;
before(async () => {
  stack = await emulateDeployment('mail-test', config);
  aws = await operatorsAws(stack.endpoint);
});
after(async () => {
  aws.close();
  await stack.close();
});
beforeEach(() => {
  aws.reset();
  aws.logs.definitions.push({
    name: 'mail-test/follow-one-message',
    lastModified: 1,
    logGroupNames: ['listener', 'parse'],
  });
  for (const name of ['listener', 'parse']) aws.logs.groups.set(name, { createdMs: 0, retentionDays: 30, lines: [] });
});

const where = () => ['--stack', 'mail-test', '--region', stack.region, '--endpoint', aws.endpoint];

/** Runs it with `--stack`, JSON read; fails where the exit code is not the expected one. */
async function cli(args: readonly string[], { code = 0, json = true }: { code?: number; json?: boolean } = {}) {
  const ran = await runInProcess([...args, ...where(), ...(json ? ['--json'] : [])]);
  assert.equal(ran.code, code, ran.err + ran.out);
  return json ? JSON.parse(code === 0 ? ran.out : ran.err) : ran;
}

async function receive(forwardPaths: readonly string[], subject: string, nowMs = Date.now()) {
  const content = Buffer.from(`From: ann@sender.example\r\nSubject: ${subject}\r\n\r\nthe text of ${subject}\r\n`);
  const dsn = { notify: null, orcpt: null };
  const recipients = forwardPaths.flatMap((forwardPath) => {
    const [name = '', domain = ''] = forwardPath.split('@');
    const localParts = name === 'info' ? ['support', 'sales'] : [name];
    return localParts.map((localPart) => {
      const route = { kind: 'mailbox' as const, mailbox: { domain, localPart, tag: null } };
      return { forwardPath, dsn, route };
    });
  });
  const receivedAt = new Date(nowMs).toISOString();
  const id = messageIdFactory()(nowMs); // others never go back
  const job = sampleReceivedJob({ content, recipients, receivedAt, id });
  const envelope = { receivedAt, session: job.envelope.session, reversePath: job.envelope.reversePath, forwardPaths };
  const writer = stack.intake.open({ key: job.raw.key, envelope });
  await writer.write(content);
  await writer.commit(job);
  return { ...job, content };
}

test('list, show and trace find mail by mailbox, by domain, over all, and by its id alone', async () => {
  const first = await receive(['support@receiver.example'], 'first');
  const second = await receive(['info@receiver.example', 'ann@other.example'], 'second');
  assert.equal((await cli(['queues']))[0].ready, 2);
  await stack.runStages();
  const [all, sales, domain, words, shown, raw, traced] = await Promise.all([
    cli(['list']),
    cli(['list', '--mailbox', 'sales@receiver.example']),
    cli(['list', '--mailbox', '@other.example']),
    cli(['list', '--q', 'FIRST']),
    cli(['show', first.id, '--mailbox', 'support@receiver.example']),
    cli(['show', second.id, '--raw'], { json: false }),
    cli(['trace', second.id.toLowerCase()]),
  ]);
  const ids = (page: { messages: { id: string }[] }) => page.messages.map(({ id }) => id);
  assert.deepEqual(ids(all), [second.id, first.id]);
  assert.deepEqual(all.messages[0].mailboxes, [
    'ann@other.example',
    'sales@receiver.example',
    'support@receiver.example',
  ]);
  assert.deepEqual(ids(sales), [second.id]);
  assert.deepEqual(ids(domain), [second.id]);
  assert.deepEqual(domain.messages[0].mailboxes, ['ann@other.example']);
  assert.deepEqual(ids(words), [first.id]);
  assert.equal(shown.subject, 'first');
  assert.equal(raw.out, second.content.toString());
  assert.equal(traced.events.filter(({ event }: { event: string }) => event === 'landed').length, 3);
  const page = await cli(['list', '--limit', '1']);
  assert.deepEqual(ids(page), [second.id]);
  const older = await cli(['list', '--limit', '1', '--after', page.next]);
  assert.deepEqual(ids(older), [first.id]);
});

test('as a process, for people: list, show, trace, queues, redrive and replay', async () => {
  const { id } = await receive(['support@receiver.example'], 'for people');
  await stack.runStages();
  await giveDead();
  const [list, show, trace, queues] = await Promise.all(
    [['list'], ['show', id], ['trace', id], ['queues']].map((args) => runPillarbox([...args, ...where()])),
  );
  assert.match(list!.out, new RegExp(`^${id} .*support@receiver.example +for people$`, 'm'), list!.err);
  assert.match(show!.out, /^Subject: +for people$/m);
  assert.match(show!.out, /^the text of for people$/m);
  assert.match(trace!.out, /delivered to the inbox of support@receiver\.example/);
  assert.match(queues!.out, /^deliver +0 +0 +0 +1 +-$/m);
  const [redrive, replay] = await Promise.all(
    [
      ['redrive', 'deliver'],
      ['replay', id],
    ].map((args) => runPillarbox([...args, ...where()])),
  );
  assert.equal(redrive!.out, '1 jobs of deliver are tried again\n');
  assert.match(replay!.out, /is on its way again for support@receiver\.example[\s\S]*stays as it is:\n {2}inbox\//);
  await stack.runStages();
});

test('what is missing is named: no message, no deployment, no region, a wrong name', async () => {
  const elsewhere = ['--region', stack.region, '--endpoint', stack.endpoint];
  const [message, deployment, region, name, both] = await Promise.all([
    cli(['show', sampleReceivedJob().id], { code: 1 }),
    runInProcess(['list', '--stack', 'another', ...elsewhere]),
    runInProcess(['list', '--stack', 'mail-test'], { environment: { AWS_REGION: '' } }),
    runInProcess(['list', '--stack', 'Mail_Test', ...elsewhere]),
    runInProcess(['list', '--stack', 'mail-test', '--url', 'http://127.0.0.1:1', ...elsewhere]),
  ]);
  assert.equal(message.error.code, 'not-found');
  assert.deepEqual([deployment.code, region.code, name.code, both.code], [1, 2, 2, 2]);
  assert.match(deployment.err, /there is no deployment "another" in us-east-1/);
  assert.match(region.err, /--region/);
  assert.match(name.err, /serviceName/);
  assert.match(both.err, /exclude/);
});

test('dead letters are counted and shown in the trace, redriven, and purged only when that is said', async () => {
  const before = (await cli(['queues']))[2].ready;
  const job = await giveDead({ beside: [sampleDeliverJob()] });
  assert.equal((await cli(['queues']))[2].dead, 1, 'SQS counts messages');
  const traced = await cli(['trace', job.id]);
  assert.match(traced.where.join(), /dead letter on queue deliver/);
  assert.equal((await cli(['redrive', 'deliver'])).jobs, 1);
  const moved = (await cli(['queues']))[2];
  assert.deepEqual([moved.ready, moved.dead], [before + 1, 0]);
  await giveDead();
  assert.match((await cli(['purge', 'deliver'], { code: 2 })).error.message, /--yes/);
  assert.equal((await cli(['purge', 'deliver', '--yes'])).jobs, 1);
  assert.equal((await cli(['queues']))[2].dead, 0);
});

/** A line of a stage, as its log group has it. */
function logged(
  stage: string,
  fields: { readonly time: string; readonly id: string; readonly [name: string]: unknown },
): void {
  const message = JSON.stringify({ level: 'info', ...fields, stage });
  aws.logs.groups.get(stage)!.lines.push({ atMs: Date.parse(fields.time), message });
}

test('trace puts what the log says between what is stored, in order of time, and asks for the message’s own days alone', async () => {
  const { id, receivedAt } = await receive(['support@receiver.example'], 'logged');
  await stack.runStages();
  const at = (ms: number) => new Date(Date.parse(receivedAt) + ms).toISOString();
  logged('listener', { time: at(-1), event: 'message-accepted', id, bytes: 91 });
  logged('parse', {
    time: at(60),
    level: 'error',
    event: 'job-failed',
    id,
    error: 'Error: S3\nis down',
    stack: 'at …',
  });
  logged('parse', { time: at(61), event: 'message-stored', id: sampleReceivedJob().id });
  const traced = await cli(['trace', id]);
  const [first] = traced.events;
  assert.deepEqual([first.event, first.text], ['logged', 'logged by listener: message-accepted, bytes: 91']);
  const failed = traced.events.find(({ details }: any) => details.event === 'job-failed');
  assert.equal(failed.text, 'logged by parse (error): job-failed, error: Error: S3\nis down');
  assert.deepEqual(
    traced.events,
    traced.events.toSorted((a: any, b: any) => a.at.localeCompare(b.at)),
  );
  assert.deepEqual(traced.events.map(({ event }: any) => event).toSorted(), [
    'judged',
    'landed',
    'logged',
    'logged',
    'received',
  ]);
  assert.deepEqual(traced.notes, []);
  const [{ startTime, endTime } = { startTime: 0, endTime: 0 }] = aws.logs.queries;
  assert.equal(startTime, Math.floor(Date.parse(receivedAt) / 1_000) - 60);
  assert.ok(endTime <= Math.ceil(Date.now() / 1_000) && endTime > startTime);
  const { out } = (await cli(['trace', id], { json: false })) as { out: string };
  assert.match(out, /^\S+ {2}logged by parse \(error\): job-failed, error: Error: S3 is down$/m);
});

test('a message of which only the log is left: what the log says', async () => {
  const { id } = sampleReceivedJob({ receivedAt: new Date().toISOString() });
  logged('listener', { time: new Date().toISOString(), event: 'message-accepted', id });
  const { events, where: places } = await cli(['trace', id]);
  assert.deepEqual([events.length, places], [1, ['nothing of it is stored: only the log tells of it']]);
});

test('a policy that lacks the log: the trace is told without it, and says why', async () => {
  const { id } = await receive(['support@receiver.example'], 'denied');
  await stack.runStages();
  aws.refusals.set('StartQuery', denied('logs:StartQuery'));
  const { out } = (await cli(['trace', id], { json: false })) as { out: string };
  assert.match(
    out,
    /^\S+ {2}received .*\n\S+ {2}accepted: .*\n\S+ {2}delivered to .*\nnow: stored as .*\nnote: the log could not be asked: AWS does not allow it: .*logs:StartQuery/,
  );
});

test('throttling of the log that passes is waited for', async () => {
  const { id } = await receive(['support@receiver.example'], 'throttled');
  aws.refusals.set('GetQueryResults', throttled(1));
  const { notes } = await cli(['trace', id]);
  assert.deepEqual(notes, []);
  assert.equal(aws.calls.filter((call) => call === 'GetQueryResults').length, 4);
  await stack.runStages();
});

test('replay makes what is missing, keeps what is there, and can go into another mailbox', async () => {
  const job = await receive(['info@receiver.example'], 'again');
  await stack.runStages();
  const { keys } = await landed(job.id);
  assert.equal(keys.length, 2);
  const kept = await bytes(keys[0]!);
  await stack.store.delete(keys[1]!);
  const replayed = await cli(['replay', job.id]);
  assert.deepEqual(replayed.recipients, ['info@receiver.example']);
  assert.deepEqual(replayed.kept, [keys[0]]);
  await stack.runStages();
  assert.deepEqual((await landed(job.id)).keys, keys);
  assert.deepEqual(await bytes(keys[0]!), kept);
  const copy = await cli(['replay', job.id, '--to', 'ann@other.example']);
  assert.notEqual(copy.id, job.id);
  await stack.runStages();
  const shown = await cli(['show', copy.id]);
  assert.deepEqual([shown.mailbox.domain, shown.subject, shown.raw.sha256], ['other.example', 'again', job.raw.sha256]);
  const [abroad, gone] = await Promise.all([
    cli(['replay', job.id, '--to', 'x@far.example'], { code: 1 }),
    cli(['replay', sampleReceivedJob().id], { code: 1 }),
  ]);
  assert.equal(abroad.error.code, 'not-replayed');
  assert.equal(gone.error.code, 'not-found');
});

test('deliveries are listed and tried now, suppressions are listed and lifted', async () => {
  const job = sampleDeliverJob({ domain: 'far.example' });
  const state = newDeliveryState(job, Date.now());
  const key = deliveryKey({ ...job, domain: 'far.example' });
  await stack.store.put({ key, body: Buffer.from(JSON.stringify(state)), contentType: 'application/json' });
  await stack.store.put({ key: job.raw.key, body: Buffer.from('Subject: out\r\n\r\n'), contentType: 'message/rfc822' });
  const dead = { domain: 'far.example' as never, localPart: 'gone' };
  await stack.store.put({
    key: suppressionKey(dead),
    body: Buffer.from(JSON.stringify({ reason: '550 no such user' })),
    contentType: 'application/json',
  });
  const [waiting, bounced, suppressed] = await Promise.all([
    cli(['deliveries', '--state', 'waiting']),
    cli(['deliveries', '--state', 'bounced']),
    cli(['suppressions']),
  ]);
  assert.deepEqual([waiting.deliveries.length, waiting.deliveries[0].id, bounced.deliveries.length], [1, job.id, 0]);
  assert.equal(suppressed.suppressions[0].address, 'gone@far.example');
  const ready = (await cli(['queues']))[2].ready;
  await cli(['retry', job.id, 'far.example']);
  assert.equal((await cli(['queues']))[2].ready, ready + 1);
  await cli(['suppressions', 'remove', 'gone@far.example']);
  assert.equal(await stack.store.head(suppressionKey(dead)), null);
});

test('mail is marked, tagged, found by that, and deleted: one, one copy, what a search finds, a mailbox', async () => {
  const subject = 'the quarterly figures';
  const ids: string[] = [];
  const old = Date.now() - 7_200_000; // its jobs are done
  for (const n of [1, 2, 3])
    ids.push((await receive(['info@receiver.example'], `${subject} ${n}`, old + n * 60_000)).id);
  const other = await receive(['ann@other.example'], 'of another', old);
  await stack.runStages();
  const [first, second, third] = ids as [string, string, string];
  const found = async (q: string) => {
    const { messages } = await cli(['list', '--q', `subject:"${subject}" ${q}`]);
    return messages.map(({ id }: { id: string }) => id).toSorted();
  };
  assert.deepEqual(await cli(['mark', first]), { id: first, read: true, tags: [] });
  assert.deepEqual(await cli(['tag', second, '--tags', 'q3,done']), { id: second, read: false, tags: ['q3', 'done'] });
  assert.deepEqual(await found('is:unread'), [second, third]);
  assert.deepEqual(await found('tag:done'), [second]);
  assert.deepEqual(await found('mailbox:sales@receiver.example -is:read'), [second, third]);
  assert.deepEqual(await cli(['mark', '--q', `subject:"${subject}"`]), { marked: 2, left: 0, next: null });
  assert.deepEqual(await cli(['mark', '--unread', '--mailbox', 'support@receiver.example', '--q', 'figures']), {
    marked: 3,
    left: 0,
    next: null,
  });
  assert.deepEqual(await cli(['delete', first, '--mailbox', 'support@receiver.example']), { deleted: 1 });
  const rest = await cli(['show', first]);
  assert.deepEqual([rest.mailbox.localPart, (await stack.store.head(rest.raw.key)) !== null], ['sales', true]);
  assert.deepEqual(await cli(['delete', first]), { deleted: 1 });
  assert.equal(await stack.store.head(rest.raw.key), null);
  assert.equal((await cli(['show', first], { code: 1 })).error.code, 'not-found');
  assert.deepEqual(await cli(['delete', '--q', 'tag:done']), { deleted: 1, left: 0 });
  assert.deepEqual(await found(''), [third]);
  assert.deepEqual(await cli(['delete', '--mailbox', '@other.example', '--q', 'another']), { deleted: 1, left: 0 });
  assert.equal((await cli(['show', other.id], { code: 1 })).error.code, 'not-found');
  assert.match((await cli(['delete'], { code: 2 })).error.message, /--q, --mailbox or --all/);
  assert.deepEqual(await found(''), [third]);
});

test('a copy that an alias of then led to is found before the rest of a message is deleted', async () => {
  const { id, raw } = await receive(['info@receiver.example', 'ann@other.example'], 'to many', Date.now() - 7_200_000);
  await stack.runStages();
  const { 'receiver.example': home, ...others } = config.domains;
  const changed = { ...config, domains: { ...others, 'receiver.example': { ...home, aliases: {} } } };
  const put = (to: object) =>
    stack.store.put({ key: configKey, body: Buffer.from(JSON.stringify(to)), contentType: 'application/json' });
  await put(changed);
  try {
    assert.deepEqual(await cli(['delete', id, '--mailbox', 'ann@other.example']), { deleted: 1 });
    assert.notEqual(await stack.store.head(raw.key), null, 'two copies are left');
    assert.equal((await cli(['show', id, '--mailbox', 'sales@receiver.example'])).subject, 'to many');
    assert.deepEqual(await cli(['delete', id]), { deleted: 1 });
    assert.equal(await stack.store.head(raw.key), null);
  } finally {
    await put(config);
  }
});

test('what a deployment does not do says so, as a wrong use', async () => {
  for (const args of [
    ['chaos'],
    ['chaos', 'off'],
    ['backup', 'saved'],
    ['send', '--from', 'a@a.example', '--to', 'b@b.example'],
  ]) {
    const { error } = await cli(args, { code: 2 });
    assert.match(
      error.message,
      new RegExp(`^--stack does not go with "${args.slice(0, args[1] === 'off' ? 2 : 1).join(' ')}": it`),
    );
  }
});

test('a message is released to an address that the configuration names, by a job of stage deliver', async () => {
  const { id: of } = await receive(['support@receiver.example'], 'released');
  const ready = (await cli(['queues']))[2].ready;
  const { id, deliveries, reversePath } = await cli(['release', of, 'me@far.example']);
  assert.deepEqual([deliveries, reversePath], [[{ id, domain: 'far.example' }], '']);
  assert.equal((await cli(['queues']))[2].ready, ready + 1);
  const [raw, copy, traced] = await Promise.all([
    cli(['show', id, '--raw'], { json: false }),
    cli(['trace', id]),
    cli(['trace', of]),
  ]);
  assert.match(
    raw.out,
    new RegExp(`^Received: from mx\\.receiver\\.example [^]*id ${id};[^]*\r\nSubject: released\r\n`),
  );
  assert.match(copy.events[0].text, new RegExp(`^released by the command line: a copy of message ${of}$`));
  assert.ok(
    traced.events.some(({ text }: { text: string }) =>
      text.endsWith(`to me@far.example: see the trace of its copy, ${id}`),
    ),
  );
  const refused = await cli(['release', of, 'you@far.example'], { code: 1 });
  assert.equal(refused.error.code, 'release-not-allowed');
});

test('a quarantined message is accepted: stage parse puts it into the inbox, and takes it out of quarantine', async () => {
  const { id, receivedAt } = await receive(['ann@other.example'], 'withheld');
  await stack.runStages();
  const mailbox = { domain: 'other.example', localPart: 'ann', tag: null };
  const [inbox, withheld] = (['inbox', 'quarantine'] as const).map((at) =>
    messageKey(at, { ...mailbox, id, receivedAt }),
  );
  const message = await inboxMessageRecord.find(stack.store, inbox!);
  const disposition = { action: 'quarantine', reason: 'DMARC fails' } as const;
  await inboxMessageRecord.write(stack.store, withheld!, { ...message!, disposition });
  await stack.store.delete(inbox!);
  const asked = [await cli(['accept', id]), await cli(['accept', id, '--mailbox', '@other.example'])];
  for (const answer of asked) assert.deepEqual(answer, { id, outcome: 'queued', mailboxes: ['ann@other.example'] });
  await stack.runStages();
  assert.deepEqual((await landed(id)).keys, [inbox]);
  const { released, ...was } = (await cli(['show', id])).disposition;
  assert.deepEqual([was, released.by], [{ action: 'accept', reason: 'DMARC fails' }, 'the command line']);
  assert.equal((await cli(['accept', id])).outcome, 'in-inbox');
  assert.equal((await cli(['accept', sampleReceivedJob().id], { code: 1 })).error.code, 'not-found');
});

/** A job that was given up; others may be in the same message. */
async function giveDead({ beside = [] }: { readonly beside?: readonly DeliverJob[] } = {}) {
  const job = sampleDeliverJob();
  const MessageBody = packBody([...beside, job].map((one) => JSON.stringify(one)));
  const message = { QueueUrl: stack.deadUrl('deliver'), MessageBody };
  await stack.sqs.send(new SendMessageCommand(message));
  return job;
}

async function landed(id: string): Promise<{ keys: string[] }> {
  const { events } = await cli(['trace', id]);
  return { keys: events.flatMap((event: any) => (event.event === 'landed' ? [event.details.key] : [])).sort() };
}

async function bytes(key: string): Promise<Buffer> {
  return Buffer.from(await collect((await stack.store.get(key))!.body));
}
