// In `npm run test:emulator`: what `cdk synth` makes is what runs here: the bundles of its assets, the variables, roles, queues, ports and the first
// configuration of its templates, over emulated S3 and SQS, in a network where names and ports are those of a deployment.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { createTransport } from 'nodemailer';
import { makeSelfSigned } from '#container/tls/certificate.ts';
import { createConfigStore } from '#ops/aws/config-store.ts';
import { createAcceptMessage } from '#ops/releases/accept-message.ts';
import { createS3Client, createSqsClient } from '#pipeline/aws/clients.ts';
import { createSqsSender } from '#pipeline/aws/sqs-sender.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { hashPassword } from '#pipeline/config/password.ts';
import { configKey, lastGoodConfigKey, messageKey, passwordHashKey } from '#pipeline/contract/keys.ts';
import { idField } from '#pipeline/contract/message-query.ts';
import { stages } from '#pipeline/contract/stages.ts';
import {
  containerOf,
  type Deployment,
  deploy,
  functionOf,
  type RunningStage,
  runningStages,
  statementsOf,
} from '#test/support/aws/artefacts/deployment.ts';
import { missingMetrics } from '#test/support/aws/artefacts/metric-names.ts';
import { enterOwnNetwork, startNames } from '#test/support/aws/artefacts/own-network.ts';
import type { RunningContainer } from '#test/support/aws/artefacts/run-container.ts';
import { type ScriptedMx, startMx } from '#test/support/peers/scripted-mx.ts';
import { proxyHeader } from '#test/support/samples/proxy-header.ts';

const [ours, theirs, forger] = ['192.0.2.25', '192.0.2.10', '192.0.2.66'];
const { options } = await enterOwnNetwork(import.meta.url, [`${ours}/32`, `${theirs}/32`, `${forger}/32`]);
const isHere = options.skip === undefined;
const region = 'us-east-1';

let folder: string;
let names: ChildProcess;
/** A name server that says nothing. */
let mute: Socket;
let smarthost: ScriptedMx;
let d: Deployment;
let container: RunningContainer;
let functions: readonly RunningStage[] = [];
/** Every line that any part has written, also those that have ended. */
const lines: (readonly string[])[] = [];

before(async () => {
  if (!isHere) return;
  folder = mkdtempSync(join(tmpdir(), 'pillarbox-artefacts-'));
  chmodSync(folder, 0o755);
  mute = createSocket('udp4');
  await new Promise<void>((resolve) => mute.bind(0, '127.0.0.1', resolve));
  names = await startNames([
    '--host-record=smtp.relay.example,127.0.0.1',
    '--host-record=mail.sender.example,192.0.2.10',
    '--txt-record=sender.example,v=spf1 ip4:192.0.2.10 -all',
    '--txt-record=_dmarc.sender.example,v=DMARC1; p=reject',
    '--server=/broken.example/127.0.0.1#9',
    `--server=/mute.example/127.0.0.1#${mute.address().port}`,
  ]);
  const { certificate: cert, key } = await makeSelfSigned('smtp.relay.example', Date.now());
  writeFileSync(join(folder, 'relay.pem'), cert);
  const offers = ['PIPELINING', '8BITMIME', 'AUTH PLAIN'];
  smarthost = await startMx({ certificate: { cert, key }, offers, answer: answerAs(() => undefined) }, 587);
  d = await deploy(join(folder, 'deployment'), { smarthost: 'smtp.relay.example', smarthostUser: 'app' });
});

after(async () => {
  if (!isHere) return;
  container?.child.kill('SIGKILL');
  await d?.close();
  await smarthost?.close();
  names?.kill();
  mute?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('each function of the template has an asset of its own', options, () => {
  const assets = runningStages.map((name) => functionOf(d.deployed, name).Code.S3Key);
  assert.equal(new Set(assets).size, runningStages.length);
});

test('the first configuration that the template writes is one, and is not written over', options, async () => {
  const config = configSchema.parse(JSON.parse(await textOf(configKey)));
  assert.equal(config.delivery.mode, 'smarthost');
  const again = createS3Client({ region, endpoint: d.endpointOf('first-config') });
  const input = { Bucket: d.bucket, Key: configKey, Body: '{}', IfNoneMatch: '*' };
  await assert.rejects(again.send(new PutObjectCommand(input)), { name: 'PreconditionFailed' });
});

test(
  'the container starts as its Dockerfile says while its certificate secrets hold nothing yet',
  options,
  async () => {
    await startAll();
    assert.match(container.lines.join('\n'), /"event":"certificate-not-usable".*no PEM text/);
    const [health, checked] = [await healthStatus(), await container.checkHealth()];
    assert.deepEqual([health, checked], [200, 0]);
  },
);

test(
  'mail through port 2525 becomes JSON in inbox/, its sender judged, its bytes as they were sent',
  options,
  async () => {
    const attachment = randomBytes(9_000_000); // over 8 MiB: a multipart upload by the listener and by parse
    await sendTo(2525, { subject: 'large', attachments: [{ filename: 'big.bin', content: attachment }] });
    await sendTo(2525, { subject: 'small' });
    const [small, large] = [await whenStored('inbox/', 'small'), await whenStored('inbox/', 'large')];
    assert.equal(small.authentication.spf.result, 'pass');
    assert.equal(small.authentication.dmarc.result, 'pass');
    assert.equal(small.session.clientIp, theirs);
    assert.equal(small.session.clientName, 'mail.sender.example');
    assert.match(small.session.tls.version, /^TLSv1\.3/);
    assert.deepEqual(small.mailbox, { domain: 'pillarbox.example', localPart: 'postmaster', tag: null });
    assert.ok((await bytesOf(large.attachments[0].key)).equals(attachment));
  },
);

test('forged mail is stored in quarantine/, and a person may release it', options, async () => {
  await sendTo(2525, { subject: 'forged' }, { localAddress: forger });
  const message = await whenStored('quarantine/', 'forged');
  assert.equal(message.authentication.dmarc.result, 'fail');
  const { localPart, domain } = message.mailbox;
  const key = messageKey('quarantine', { ...message.mailbox, ...message });
  const sqs = createSqsClient({ region, endpoint: d.endpointOf('authenticate') });
  const parseUrl = functionOf(d.deployed, 'authenticate').Environment.Variables.PILLARBOX_QUEUE_PARSE_URL;
  const jobs = createSqsSender({ sqs, queueUrls: { parse: parseUrl }, clock: Date.now });
  const admin = { findMessage: async () => [key] };
  const accept = createAcceptMessage({ admin, store: d.store, jobs, clock: Date.now });
  const accepted = await accept({ id: message.id, only: null, by: 'an operator' });
  assert.deepEqual(accepted, { outcome: 'queued', mailboxes: [`${localPart}@${domain}`] });
  const { disposition } = await whenStored('inbox/', 'forged');
  assert.deepEqual([disposition.action, disposition.released.by], ['accept', 'an operator']);
  await eventually(async () => ((await d.store.head(key)) === null ? true : null), 'quarantine has it no more');
});

test('who is unknown is refused, and nothing is relayed', options, async () => {
  await assert.rejects(sendTo(2525, { to: 'nobody@pillarbox.example' }), { responseCode: 550 });
  await assert.rejects(sendTo(2525, { to: 'someone@elsewhere.example' }), { responseCode: 550 });
});

test('SIGTERM in the middle of a message: unhealthy at once, the message is finished, exit 0', options, async () => {
  const socket = connect({ host: ours, port: 2525, localAddress: theirs }).setEncoding('latin1');
  let said = '';
  socket.on('data', (piece) => {
    said += piece;
  });
  const until = (pattern: RegExp) => eventually(async () => (pattern.test(said) ? true : null), String(pattern));
  const say = (text: string) => socket.write(text);
  await until(/^220/);
  say(
    'EHLO mail.sender.example\r\nMAIL FROM:<ann@sender.example>\r\nRCPT TO:<postmaster@pillarbox.example>\r\nDATA\r\n',
  );
  await until(/^354/m);
  say('From: ann@sender.example\r\nSubject: in flight\r\n\r\nhello\r\n');
  const exited = once(container.child, 'exit');
  container.child.kill('SIGTERM');
  await eventually(async () => ((await healthStatus()) === 503 ? true : null), 'health 503');
  assert.equal(await container.checkHealth(), 1);
  say('.\r\n');
  await until(/^250 2\.6\.0/m);
  assert.deepEqual(await exited, [0, null]);
  await whenStored('inbox/', 'in flight');
});

test('what the operator puts into secrets and configuration is in force', options, async () => {
  const { certificate, key } = await makeSelfSigned('mx.pillarbox.example', Date.now());
  d.secrets.set('pillarbox/tls-certificate', certificate).set('pillarbox/tls-key', key);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  d.secrets.set('pillarbox/dkim-s1', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  const config = JSON.parse(await textOf(configKey));
  config.domains['pillarbox.example'] = {
    mailboxes: ['postmaster', 'app'],
    aliases: { sales: ['far@elsewhere.example'], lost: ['gone-too@elsewhere.example'] },
    dkim: [{ selector: 's1', privateKey: 'secret:dkim-s1' }],
  };
  d.secrets.set('pillarbox/user-other', await hashPassword('another password'));
  config.listeners = [{ role: 'mx', host: '127.0.0.1', port: 2525 }]; // as `pillarbox init` writes it
  const mayFrom = ['*@pillarbox.example'];
  config.users = [
    { name: 'app', password: await hashPassword('a good password'), mayFrom },
    { name: 'other', password: 'secret:user-other', mayFrom },
  ];
  const configs = createConfigStore(d.store, { bucket: d.bucket, stack: 'pillarbox' });
  await configs.replace(JSON.stringify(config), await configs.read());
  assert.match(await textOf(configKey), /"stored:[0-9a-f]{64}"/);
  await stopFunctions();
  await startAll();
  assert.match(await healthText(), /listeners: on AWS the deployment opens the ports.*"ok":true/);
  const trusting = { tls: { ca: certificate, servername: 'mx.pillarbox.example' } };
  await submit({ subject: 'out', to: 'friend@elsewhere.example' }, trusting);
  await submit(
    { subject: 'of the other', to: 'postmaster@pillarbox.example' },
    { ...trusting, auth: { user: 'other', pass: 'another password' } },
  );
  await assert.rejects(submit({ subject: 'out' }, { auth: { user: 'app', pass: 'a bad password' } }), {
    responseCode: 535,
  });
});

test('submitted mail leaves through the smarthost, logged in and signed', options, async () => {
  const mail = await eventually(async () => smarthost.mails[0] ?? null, 'mail at the smarthost');
  const login = smarthost.commands.find((command) => command.startsWith('AUTH PLAIN')) ?? '';
  assert.equal(
    Buffer.from(login.slice('AUTH PLAIN '.length), 'base64').toString(),
    `\0app\0${d.secrets.get('pillarbox/smarthost-password')}`,
  );
  assert.match(mail.content, /^DKIM-Signature: [\s\S]*d=pillarbox\.example/m);
  const state = await delivery('elsewhere.example', ({ state: now }) => now === 'delivered');
  assert.equal(state.recipients[0].forwardPath, 'friend@elsewhere.example');
});

test('a refused recipient is a bounce in the inbox, and is refused at once the next time', options, async () => {
  const refuses = (command: string) => (/^RCPT TO:<gone/.test(command) ? '550 5.1.1 no such user' : undefined);
  smarthost.script = { ...smarthost.script, answer: answerAs(refuses) };
  await submit({ subject: 'to nobody', to: 'gone@elsewhere.example' });
  const bounce = await whenStored('inbox/pillarbox.example/app/', '');
  assert.equal(bounce.envelope.reversePath, '');
  assert.match(JSON.stringify(bounce), /no such user/);
  await assert.rejects(submit({ subject: 'again', to: 'gone@elsewhere.example' }), { responseCode: 550 });
});

test('mail forwarded by an alias leaves with a reverse-path of ours (SRS)', options, async () => {
  const before = smarthost.mails.length;
  await sendTo(2525, { subject: 'forwarded', to: 'sales@pillarbox.example' });
  const mail = await eventually(async () => smarthost.mails[before] ?? null, 'forwarded mail');
  assert.match(mail.mail, /^MAIL FROM:<SRS0=[^>]+@pillarbox\.example>/);
});

test('a bounce from outside to that address is let in for whom it is meant', options, async () => {
  const [, srs = ''] =
    /<(SRS0=[^>]+)>/.exec(smarthost.mails.find(({ mail }) => mail.includes('SRS0='))?.mail ?? '') ?? [];
  const before = smarthost.mails.length;
  await sendTo(2525, { subject: 'returned', to: srs, from: '' });
  const mail = await eventually(async () => smarthost.mails[before] ?? null, 'the returned bounce');
  assert.deepEqual([mail.mail, mail.rcpts], ['MAIL FROM:<>', ['RCPT TO:<ann@sender.example>']]);
});

test('its bounce finds the way back to who wrote it', options, async () => {
  const before = smarthost.mails.length;
  await sendTo(2525, { subject: 'forwarded in vain', to: 'lost@pillarbox.example' });
  const mail = await eventually(async () => smarthost.mails[before] ?? null, 'the bounce');
  assert.deepEqual([mail.mail, mail.rcpts], ['MAIL FROM:<>', ['RCPT TO:<ann@sender.example>']]);
});

test('a smarthost that says 421 is left alone, and mail goes on when it is back', options, async () => {
  const before = smarthost.mails.length;
  const usual = smarthost.script;
  const busy = (command: string) => (command.startsWith('MAIL') ? '421 4.3.2 not now' : undefined);
  smarthost.script = { ...usual, answer: answerAs(busy) };
  await submit({ subject: 'later', to: 'late@later.example' });
  await delivery('later.example', ({ state }) => state === 'waiting');
  const notes = async () => {
    const { objects } = await d.store.list({ prefix: 'destinations/' });
    return objects.filter(({ key }) => !key.startsWith('destinations/connections%20'));
  };
  await eventually(async () => (await notes())[0] ?? null, 'the note');
  // Only when the job is back on its queue does the clock move on: its wait is counted from then.
  await eventually(async () => {
    const queue = (await d.queues()).find(({ name }) => name === 'pillarbox-deliver');
    return queue.delayed > 0 && queue.inFlight === 0 ? queue : null;
  }, 'back on the queue');
  smarthost.script = usual;
  d.setAhead(3_600_000);
  await eventually(async () => smarthost.mails[before] ?? null, 'mail after the wait');
  await delivery('later.example', ({ state }) => state === 'delivered');
  await eventually(async () => ((await notes()).length === 0 ? true : null), 'the note is gone');
});

test('mail that SES does not send for us waits, and the alarm on faults of ours counts it', options, async () => {
  const before = smarthost.mails.length;
  const usual = smarthost.script;
  const text =
    '554 Message rejected: Email address is not verified. The following identities failed the check in region US-EAST-1: app@pillarbox.example';
  smarthost.script = { ...usual, accept: () => text };
  await submit({ subject: 'not verified', to: 'late@unverified.example' });
  const state = await delivery('unverified.example', (known) => known.state === 'waiting' && known.next.queued);
  assert.match(
    state.next.reason,
    /sends only for domains that are verified.*: 554 Message rejected: Email address is not/,
  );
  const written = (word: RegExp) => lines.some((part) => part.some((line) => word.test(line)));
  await eventually(async () => (written(/"event":"own-fault".*"fault":"relay"/) ? true : null), 'the fault in the log');
  await eventually(async () => (written(/"queue":"deliver","outcome":"waits"/) ? true : null), 'what the alarm counts');
  smarthost.script = usual;
  d.setAhead(2 * 3_600_000);
  await eventually(async () => smarthost.mails[before + 1] ?? null, 'mail after it was verified');
  await delivery('unverified.example', ({ state: now }) => now === 'delivered');
});

test(
  'mail whose sender cannot be judged for now is judged again later, and in the slow lane where the DNS says nothing',
  options,
  async () => {
    await sendTo(2525, { subject: 'unsure', from: 'ann@broken.example' });
    await sendTo(2525, { subject: 'slow', from: 'ann@mute.example' });
    const hasCalled = (action: string, queue: string) => () =>
      d.gate.calls.some(
        (call) => call.part === 'authenticate' && call.resource.endsWith(queue) && call.action === action,
      );
    const when = (what: string, has: () => boolean) => eventually(async () => (has() ? true : null), what);
    await when('back on the queue', hasCalled('sqs:SendMessage', '-received'));
    await when('in the slow lane', hasCalled('sqs:SendMessage', '-received-slow'));
    await when('judged there', hasCalled('sqs:DeleteMessage', '-received-slow'));
    await when('known to be dead', () => lines.flat().some((line) => line.includes('"dns-breakers-opened"')));
  },
);

test('of a batch only what failed comes back, and at last it is a dead letter', options, async () => {
  const parse = functions[1]!;
  const sqs = createSqsClient({ region, endpoint: d.endpointOf('authenticate') });
  const QueueUrl = functionOf(d.deployed, 'authenticate').Environment.Variables.PILLARBOX_QUEUE_PARSE_URL;
  const Entries = ['{}', 'no JSON at all'].map((MessageBody, index) => ({ Id: String(index), MessageBody }));
  const failures = () => parse.batches.flatMap(({ answer }) => answer.batchItemFailures).length;
  const before = failures();
  await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  for (let runs = 1; runs < stages.parse.maxReceives; runs += 1) {
    await eventually(async () => (failures() === before + 2 * runs ? true : null), `run ${runs}`);
    d.setAhead(7_200_000 + runs * 900_000); // past the time that they stay hidden
  }
  const ready = async (name: string) => (await d.queues()).find((queue) => queue.name === name).ready;
  await eventually(async () => ((await ready('pillarbox-parse-dead')) === 2 ? true : null), 'both are dead letters');
  assert.equal(failures(), before + 2 * (stages.parse.maxReceives - 1));
});

test('a stored message that is gone is told from one that is forbidden', options, async () => {
  const status = async (part: string, Key: string) => {
    const s3 = createS3Client({ region, endpoint: d.endpointOf(part) });
    return s3.send(new HeadObjectCommand({ Bucket: d.bucket, Key })).catch((error) => error.$metadata.httpStatusCode);
  };
  const gone = 'raw/2026/11/21/12/none.eml';
  for (const part of ['authenticate', 'parse', 'deliver']) assert.equal(await status(part, gone), 404, part);
  for (const part of ['authenticate', 'parse']) assert.equal(await status(part, 'raw/none'), 403, part);
});
test(
  'while a DKIM secret is missing mail waits with that reason, and leaves signed when the secret is there',
  options,
  async () => {
    const config = JSON.parse(await textOf(configKey));
    config.domains['pillarbox.example'].dkim = [{ selector: 's2', privateKey: 'secret:dkim-s2' }];
    config.delivery.delayWarningSeconds = 400_000; // the clock of the functions is far ahead of the listener's
    await d.store.put({ key: configKey, body: Buffer.from(JSON.stringify(config)), contentType: 'application/json' });
    d.setAhead(20 * 3_600_000); // what is known of configuration and secrets is old
    const before = smarthost.mails.length;
    await submit({ subject: 'kept', to: 'b@kept.example' });
    await submit({ subject: 'lost', to: 'b@lost.example' });
    const waits = ({ state, next }: any) => state === 'waiting' && /"secret:dkim-s2" cannot be read/.test(next.reason);
    await delivery('kept.example', waits);
    const { job } = await delivery('lost.example', waits);
    await d.store.delete(job.raw.key);
    await eventually(async () => {
      const queue = (await d.queues()).find(({ name }) => name === 'pillarbox-deliver');
      return queue.delayed === 2 && queue.inFlight === 0 && queue.ready === 0 ? queue : null;
    }, 'both are back on the queue, uncounted');
    d.secrets.set('pillarbox/dkim-s2', d.secrets.get('pillarbox/dkim-s1') ?? '');
    d.setAhead(21 * 3_600_000);
    const mail = await eventually(async () => smarthost.mails[before] ?? null, 'mail signed by the new key');
    assert.match(mail.content, /^DKIM-Signature: [\s\S]*s=s2/m);
    await delivery('kept.example', ({ state }) => state === 'delivered');
  },
);

test(
  'a job that cannot be done tells its sender once, and is a dead letter as soon as that is known',
  options,
  async () => {
    const reports = async () => {
      const { objects } = await d.store.list({ prefix: 'inbox/pillarbox.example/app/' });
      const texts = await Promise.all(objects.map(({ key }) => textOf(key)));
      return texts.filter((text) => text.includes('b@lost.example')).length;
    };
    const queue = async (name: string) => (await d.queues()).find((one) => one.name === name);
    await eventually(async () => ((await reports()) > 0 ? true : null), 'the report');
    await eventually(async () => ((await queue('pillarbox-deliver-dead')).ready > 0 ? true : null), 'the dead letter');
    d.setAhead(22 * 3_600_000); // past each time that a job may be hidden
    await eventually(async () => {
      const { ready, delayed, inFlight } = await queue('pillarbox-deliver');
      return ready + delayed + inFlight === 0 ? true : null;
    }, 'nothing is left to do');
    assert.deepEqual([(await queue('pillarbox-deliver-dead')).ready, await reports()], [1, 1]);
  },
);

test(
  'while the newest configuration is torn, a listener and functions that start serve by the last good one, and tell',
  options,
  async () => {
    const good = await bytesOf(configKey);
    const deadBefore = await deadLetters();
    await d.store.put({ key: configKey, body: good.subarray(0, -40), contentType: 'application/json' });
    const exited = once(container.child, 'exit');
    container.child.kill('SIGTERM');
    await Promise.all([exited, stopFunctions()]);
    await startAll();
    assert.equal(await healthStatus(), 200);
    assert.match(await healthText(), /pillarbox\.json cannot be used.*not JSON/);
    await sendTo(2525, { subject: 'by the last good one' });
    const { id } = await whenStored('inbox/', 'by the last good one');
    const told = lines.flat().filter((line) => line.includes(id) && line.includes('"stage":"'));
    assert.ok(told.some((line) => line.includes('"message-stored"')));
    assert.ok(!told.some((line) => line.includes('"receiveCount"')), 'something had to come back');
    for (const part of [container, functions[0]!]) assert.match(part.lines.join('\n'), /"event":"config-not-usable"/);
    assert.match(container.lines.join('\n'), /"config-problems":1\b/);
    const alarms = [...d.deployed.resources('AWS::CloudWatch::Alarm').values()];
    const alarm = alarms.find(({ AlarmName }) => AlarmName === 'pillarbox-config-broken');
    assert.match(JSON.stringify(alarm), /"MetricName":"config-problems".*"Stat":"Sum".*"Threshold":1\b/);
    await d.store.put({ key: configKey, body: good, contentType: 'application/json' });
    await eventually(async () => ((await healthText()).includes('not JSON') ? null : true), 'the good one in force');
    assert.equal(await deadLetters(), deadBefore);
  },
);

test('roles and policies allow all that the parts did, and hardly more', options, () => {
  const denied = d.gate.calls.filter((call) => !call.isAllowed);
  assert.deepEqual(denied, []);
  assert.ok(d.gate.calls.length > 100);
  assert.deepEqual(unused(), []);
});

const refused = [
  { part: 'parse', does: 'reads inbox/', key: 'inbox/pillarbox.example/postmaster/x.json', read: true },
  { part: 'parse', does: 'reads a configuration that was replaced', key: 'config/history/x.json', read: true },
  { part: 'deliver', does: 'reads the hash of a password', key: passwordHashKey('0'), read: true },
  { part: 'authenticate', does: 'reads deliveries/', key: 'deliveries/x.json', read: true },
  { part: 'authenticate', does: 'writes inbox/', key: 'inbox/x.json', condition: '*' },
  { part: 'deliver', does: 'writes inbox/', key: 'inbox/x.json', condition: '*' },
  { part: 'listener', does: 'writes the configuration', key: configKey, condition: '*' },
  { part: 'listener', does: 'writes raw/ over what may be there', key: 'raw/x.eml' },
  { part: 'parse', does: 'writes inbox/ over what may be there', key: 'inbox/x.json' },
];
for (const part of ['listener', 'authenticate', 'parse']) {
  test(`${part} is refused when it looks for messages whose keys it does not know`, options, async () => {
    const s3 = createS3Client({ region, endpoint: d.endpointOf(part) });
    const list = new ListObjectsV2Command({ Bucket: d.bucket, Prefix: 'raw/2026/' });
    await assert.rejects(s3.send(list), { name: 'AccessDenied' });
  });
}

for (const { part, does, key, read, condition } of refused) {
  test(`${part} is refused when it ${does}`, options, async () => {
    const s3 = createS3Client({ region, endpoint: d.endpointOf(part) });
    const place = { Bucket: d.bucket, Key: key };
    const request = read
      ? s3.send(new GetObjectCommand(place))
      : s3.send(new PutObjectCommand({ ...place, Body: 'x', ...(condition ? { IfNoneMatch: condition } : {}) }));
    await assert.rejects(request, { name: 'AccessDenied' });
  });
}

test(
  'every metric that alarms and dashboard look at is written, by that name and with those dimensions',
  options,
  async () => {
    const exited = once(container.child, 'exit');
    container.child.kill('SIGTERM');
    await exited;
    await stopFunctions();
    const seen = lines.flat();
    // Written when three unrelated hosts time out on port 25, which takes long, and when S3 or SQS refuse the listener.
    assert.deepEqual(missingMetrics(d.deployed, seen), ['port-25-blocked {stage}', 'store-failures {stage}']);
    assert.match(
      readFileSync('functions/deliver/destination/port25.ts', 'utf8'),
      /metrics\.count\('port-25-blocked'\)/,
    );
    const metrics = seen.filter((line) => line.startsWith('{"_aws"'));
    const written = metrics.flatMap((line) => [...line.matchAll(/"Name":"([^"]+)"/g)]);
    for (const [, name] of written) assert.match(name!, /^[a-z0-9]+(-[a-z0-9]+)*$/);
  },
);

test(
  'each line of the log that names a message has its id in the field that a trace searches, at every stage',
  options,
  () => {
    const logged = lines.flat().filter((line) => line.startsWith('{"time"'));
    const strays = logged.filter(
      (line) => /"[0-9A-HJKMNP-TV-Z]{26}\b/.test(line) && typeof JSON.parse(line)[idField] !== 'string',
    );
    assert.deepEqual(strays, []);
    const stories = Map.groupBy(logged, (line) => JSON.parse(line)[idField]);
    const told = [...stories.values()].map((story) => new Set(story.map((line) => JSON.parse(line).event)));
    for (const last of ['message-stored', 'delivery-attempt']) {
      const whole = ['message-accepted', 'message-judged', last];
      assert.ok(
        told.some((events) => whole.every((event) => events.has(event))),
        last,
      );
    }
  },
);

test('deployed with proxyProtocol, the listener goes by the header, and by nobody without one', options, async (t) => {
  const proxied = await deploy(join(folder, 'proxied'), { proxyProtocol: true, preserveClientIp: false });
  t.after(() => proxied.close());
  const listener = await proxied.startContainer();
  t.after(() => listener.child.kill('SIGKILL'));
  const spoken = async (port: number, bytes: Buffer): Promise<string> => {
    const socket = connect({ host: ours!, port, localAddress: theirs! });
    socket.on('error', () => {});
    socket.write(bytes);
    const [first] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [unknown];
    socket.destroy();
    return Buffer.isBuffer(first) ? first.toString('latin1') : '';
  };
  const before = listener.lines.length;
  assert.match(await spoken(2525, proxyFrom(0x20, '0.0.0.0')), /^220 |^$/); // LOCAL: the balancer looks
  assert.equal(await spoken(2525, Buffer.from('EHLO mail.sender.example\r\n')), '');
  assert.equal(await spoken(2525, Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.25 9 25\r\n')), '');
  assert.equal(listener.lines.length, before, listener.lines.slice(before).join('\n'));
  const connection = connect({ host: ours!, port: 2525, localAddress: theirs! });
  connection.write(proxyFrom(0x21, '203.0.113.7'));
  await sendTo(2525, { subject: 'proxied' }, { connection });
  const line = await eventually(
    async () => listener.lines.find((one) => one.includes('message-accepted')) ?? null,
    'it',
  );
  assert.equal(JSON.parse(line).clientIp, '203.0.113.7');
  const below = connect({ host: ours!, port: 4650, localAddress: theirs! });
  below.write(proxyFrom(0x21, '203.0.113.7'));
  const tls = connectTls({ socket: below, rejectUnauthorized: false });
  const [greeting] = await once(tls, 'data');
  tls.destroy();
  assert.match(String(greeting), /^220 /);
  await proxied.gate.close(); // S3 and SQS answer no more
  const refused = connect({ host: ours!, port: 2525, localAddress: theirs! });
  refused.write(proxyFrom(0x21, '203.0.113.7'));
  await assert.rejects(sendTo(2525, { subject: 'not stored' }, { connection: refused }), { responseCode: 451 });
  const exited = once(listener.child, 'exit');
  listener.child.kill('SIGTERM');
  await exited;
  const counted = missingMetrics(proxied.deployed, listener.lines);
  assert.equal(counted.includes('store-failures {stage}'), false, 'the alarm hears of it');
});

test('nothing complained: no error in any log but those provoked, nothing on standard error', options, () => {
  const errors = lines
    .flat()
    .filter((line) => line.includes('"level":"error"'))
    .filter((line) => !/"event":"job-dead".*not a job/.test(line))
    .filter((line) => !/"event":"own-fault".*secret:dkim-s2/.test(line))
    .filter((line) => !/"event":"own-fault".*"fault":"relay"/.test(line))
    .filter((line) => !/"event":"config-not-usable".*not JSON/.test(line))
    .filter(
      (line) =>
        !/"event":"(job-failed|job-dead|delivery-given-up)".*(the stored message is missing|none of 8 runs)/.test(line),
    );
  assert.deepEqual(errors, []);
});

async function startAll(): Promise<void> {
  container = await d.startContainer();
  const relay = { NODE_EXTRA_CA_CERTS: join(folder, 'relay.pem') };
  functions = await Promise.all(runningStages.map((name) => d.startStage(name, name === 'deliver' ? relay : {})));
  lines.push(container.lines, ...functions.map((one) => one.lines));
}

async function stopFunctions(): Promise<void> {
  await Promise.all(functions.map((one) => one.stop()));
  assert.deepEqual(
    functions.map((one) => one.errors()),
    ['', '', ''],
  );
}

function answerAs(answer: (command: string) => string | undefined) {
  return (command: string) => (command.startsWith('AUTH PLAIN ') ? '235 2.7.0 welcome' : answer(command));
}

/** PROXY v2: the command (LOCAL, PROXY), TCP over IPv4, from this address. */
function proxyFrom(command: number, from: string): Buffer {
  const addresses = [...from.split('.'), ...ours!.split('.')].map(Number);
  return proxyHeader(command, 0x11, Buffer.from([...addresses, 0x30, 0x39, 0, 25]));
}

type Mail = { subject?: string; to?: string; from?: string; attachments?: { filename: string; content: Buffer }[] };

async function sendTo(port: number, mail: Mail, more: Record<string, unknown> = {}): Promise<void> {
  const transport = { host: ours!, port, localAddress: theirs!, name: 'mail.sender.example', ...more };
  const to = mail.to ?? 'postmaster@pillarbox.example';
  await createTransport({ tls: { rejectUnauthorized: false }, ...transport }).sendMail({
    from: 'ann@sender.example',
    text: 'hello',
    ...mail,
    to,
    envelope: { from: mail.from ?? 'ann@sender.example', to },
  });
}

async function submit(mail: Mail, more: Record<string, unknown> = {}): Promise<void> {
  const auth = { user: 'app', pass: 'a good password' };
  const transport = createTransport({
    host: ours!,
    port: 5870,
    requireTLS: true,
    auth,
    tls: { rejectUnauthorized: false },
    ...more,
  });
  await transport.sendMail({ from: 'app@pillarbox.example', to: 'friend@elsewhere.example', text: 'hello', ...mail });
}

async function healthStatus(): Promise<number> {
  return (await fetch('http://127.0.0.1:8080/health')).status;
}

async function healthText(): Promise<string> {
  return (await fetch('http://127.0.0.1:8080/health')).text();
}

/** How many jobs are dead letters, of all queues. */
async function deadLetters(): Promise<number> {
  const dead = (await d.queues()).filter(({ name }) => name.endsWith('-dead'));
  return dead.reduce((sum, { ready, inFlight }) => sum + ready + inFlight, 0);
}

async function bytesOf(key: string): Promise<Buffer> {
  const object = await d.store.get(key);
  if (object === null) throw new Error(`there is no ${key}`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of object.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function textOf(key: string): Promise<string> {
  return (await bytesOf(key)).toString('utf8');
}

/** The message below a prefix with this subject (any, where empty), once it is there. */
async function whenStored(prefix: string, subject: string): Promise<any> {
  return eventually(async () => {
    for (const { key } of (await d.store.list({ prefix })).objects) {
      const message = JSON.parse(await textOf(key));
      if (subject === '' || message.subject === subject) return message;
    }
    return null;
  }, `${prefix} ${subject}`);
}

async function delivery(domain: string, isWanted: (state: any) => boolean): Promise<any> {
  return eventually(async () => {
    for (const { key } of (await d.store.list({ prefix: 'deliveries/' })).objects) {
      const state = key.endsWith(`/${domain}.json`) ? JSON.parse(await textOf(key)) : null;
      if (state !== null && isWanted(state)) return state;
    }
    return null;
  }, `delivery to ${domain}`);
}

async function eventually<T>(ask: () => Promise<T | null>, what: string): Promise<T> {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    const found = await ask();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const told = lines.flat().slice(-20).join('\n');
  throw new Error(
    `not within 30 s: ${what}\n${told}${container.errors()}${functions.map((one) => one.errors()).join('')}`,
  );
}

/** What is granted to a part and was not used in the whole run, besides what only other days need. */
function unused(): string[] {
  const roles = {
    listener: taskRole(),
    ...Object.fromEntries(runningStages.map((name) => [name, functionOf(d.deployed, name).Role])),
  };
  return Object.entries(roles).flatMap(([part, role]) =>
    statementsOf(d.deployed, role)
      .flatMap(({ Action, Resource }) =>
        [Action].flat().flatMap((action) => [Resource].flat().map((on) => ({ action, on }))),
      )
      .filter(({ action }) => !/^(logs:|sqs:(ChangeMessageVisibility|GetQueue))/.test(action)) // Lambda's own doing
      .filter(({ action }) => action !== 's3:AbortMultipartUpload') // when S3 fails in the middle
      .filter(({ action }) => part !== 'parse' || action !== 'sqs:SendMessage') // when we are at fault, or a job dies
      .filter(({ on }) => part !== 'authenticate' || !/-dead$|verdicts/.test(on)) // when a job dies, or runs twice
      .filter(({ on }) => part === 'listener' || !on.endsWith(lastGoodConfigKey)) // while the newest configuration is broken
      .filter(({ action, on }) => !d.gate.calls.some((call) => call.part === part && grants(action, on, call)))
      .map(({ action, on }) => `${part} ${action} ${on}`),
  );
}

function grants(action: string, on: string, call: { action: string; resource: string }): boolean {
  const [start = '', end] = on.replace(/-\?{6}$/, '-a1B2c3').split('*');
  return action === call.action && (end === undefined ? call.resource === start : call.resource.startsWith(start));
}

function taskRole(): string {
  assert.ok(containerOf(d.deployed));
  const [task] = d.deployed.resources('AWS::ECS::TaskDefinition').values();
  return task.TaskRoleArn;
}
