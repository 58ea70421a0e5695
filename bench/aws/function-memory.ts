// The most memory that a function takes for a full batch of large or hostile messages: the bundles that ship, each in a process with the
// heap that Lambda gives to Node at the stage's memory (nine tenths, a twentieth for young objects), over S3 emulated here.
import { fork } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { shown } from '#bench/figures/statistics.ts';
import type { Row } from '#bench/figures/table.ts';
import { startDns, textRecord } from '#bench/load/dns-server.ts';
import { cpuSecondsOf } from '#bench/load/measured-process.ts';
import { plainMessage } from '#bench/load/messages.ts';
import { buildBundles } from '#local/build-bundles.ts';
import { type Emulator, startEmulator } from '#local/emulator/emulator.ts';
import { envelopeOptionsSchema } from '#mail/envelope/envelope.ts';
import { messageIdFactory } from '#mail/header/message-id.ts';
import { createPollingSqsClient, createS3Client, createSqsClient } from '#pipeline/aws/clients.ts';
import { unpacked } from '#pipeline/aws/pack.ts';
import { createS3Store } from '#pipeline/aws/s3-store.ts';
import { createSqsReceiver, type SqsEventRecord } from '#pipeline/aws/sqs-receiver.ts';
import { createSqsSender } from '#pipeline/aws/sqs-sender.ts';
import { receivedJobSchema } from '#pipeline/contract/jobs.ts';
import { configKey, rawKey } from '#pipeline/contract/keys.ts';
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import { processorShare, queueNames, queueUrlVariable, type Stage, stages } from '#pipeline/contract/stages.ts';
import { captureOn } from './aws-listener.ts';

const batch = 10;
const large = 50_000_000;
/** Of what Lambda gives, a tenth and more stays free. */
const atMost = 0.8;

const answerSchema = z.object({ batchItemFailures: z.array(z.unknown()) });
const envelope = {
  session: { role: 'mx', clientIp: '192.0.2.1', clientName: null, helo: 'mx.load.example', tls: null, user: null },
  reversePath: 'ada@load.example',
  ...envelopeOptionsSchema.parse({}),
  recipients: [
    {
      forwardPath: 'bob@bench.example',
      dsn: { notify: null, orcpt: null },
      route: { kind: 'mailbox', mailbox: { domain: 'bench.example', localPart: 'bob', tag: null } },
    },
  ],
};

/** Signed as often as signatures are looked at, each over another length of the body: all of it is hashed for each. */
const signatures = Array.from(
  { length: 9 },
  (_, n) =>
    `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=load.example; s=s${n}; l=${large - 1_000 * n}; h=from:subject; bh=${'A'.repeat(43)}=; b=${'B'.repeat(342)}==\r\n`,
).join('');
const head = 'From: Ada <ada@load.example>\r\nTo: bob@bench.example\r\nSubject: much\r\nMIME-Version: 1.0\r\n';
const messages: Readonly<Record<string, () => Buffer>> = {
  'of 50 KiB': () => plainMessage(51_200),
  'of 50 MB, one text': () => plainMessage(large),
  'of 50 MB, one text, signed': () =>
    Buffer.concat([Buffer.from(`${signatures.split('\r\n')[0]}\r\n`), plainMessage(large)]),
  'of 50 MB, one text, nine signatures': () => Buffer.concat([Buffer.from(signatures), plainMessage(large)]),
  'of 50 MB, one attachment': () => withAttachment(),
  'of 50 MB, one text in base64, its charset unknown': () =>
    Buffer.from(`${head}Content-Type: text/plain; charset=x\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64()}`),
  'with 5 MB of header': () =>
    Buffer.from(`${head}${'X-Much: more and more and more of it\r\n'.repeat(130_000)}\r\nhi\r\n`),
  'with 3 MB of nested HTML': () => Buffer.from(`${head}Content-Type: text/html\r\n\r\n${'<div>'.repeat(600_000)}\r\n`),
};

function withAttachment(): Buffer {
  const part = `--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64()}`;
  return Buffer.from(`${head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n${part}--b--\r\n`);
}

function base64(): string {
  return `${'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx'}\r\n`.repeat(large / 74);
}

/** A row for each stage and kind of message: the most that a full batch takes, of the memory that the stage has. */
export async function measureMemory(): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-bench-'));
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const key = textRecord(`v=DKIM1; k=rsa; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`);
  const dns = await startDns((name) => (name.includes('._domainkey.') ? key : 'no-name'));
  await buildBundles(folder);
  const emulator = await startEmulator({ folder: join(folder, 'emulator'), onChange: () => undefined });
  const store = createS3Store({ s3: createS3Client(emulator), bucket: emulator.bucket });
  const config = JSON.stringify({ ...captureOn(2525), dns: { servers: [dns.server] } });
  await store.put({ key: configKey, body: Buffer.from(config), contentType: 'application/json' });
  const rows: Row[] = [];
  for (const [what, message] of Object.entries(messages)) {
    await sendBatch(store, emulator, message());
    for (const name of ['authenticate', 'parse'] as const) {
      const stage = stages[name];
      const { peakMiB, cpuSeconds } = await peakOf(stage, join(folder, 'functions'), emulator);
      const seconds = `${shown(cpuSeconds / processorShare(stage))} of ${stage.timeoutSeconds} s`;
      rows.push({
        what: `${name}, ${stage.batchSize} ${what}`,
        value: `${shown(peakMiB)} MiB`,
        beside: `of ${stage.memoryMiB}; ${shown(cpuSeconds)} s of a processor, ${seconds}`,
        ratio: peakMiB / stage.memoryMiB,
        target: { atMost },
      });
    }
  }
  await emulator.close();
  dns.close();
  rmSync(folder, { recursive: true, force: true });
  return rows;
}

/** Stores a message ten times and sends the jobs, as the listener would. */
async function sendBatch({ put }: Pick<ObjectStore, 'put'>, emulator: Emulator, content: Buffer): Promise<void> {
  const newId = messageIdFactory();
  const queueUrls = { received: emulator.queueUrl('received') };
  const jobs = createSqsSender({ sqs: createSqsClient(emulator), queueUrls, clock: Date.now });
  const sha256 = createHash('sha256').update(content).digest('hex');
  for (let n = 0; n < batch; n += 1) {
    const now = Date.now();
    const [id, receivedAt] = [newId(now), new Date(now).toISOString()];
    const raw = { key: rawKey({ id, receivedAt }), bytes: content.length, sha256 };
    await put({ key: raw.key, body: content, contentType: 'message/rfc822' });
    await jobs.send('received', receivedJobSchema.parse({ version: 2, id, receivedAt, raw, attempt: 1, envelope }));
  }
}

/** Gives the stage’s function a full batch of what is on its queue; the most memory that it held meanwhile, in MiB. */
async function peakOf(stage: Stage, bundles: string, emulator: Emulator) {
  const { region } = emulator;
  const [queueUrl, queueArn] = [emulator.queueUrl(stage.consumes), emulator.queueArn(stage.consumes)];
  const receiver = createSqsReceiver({ sqs: createPollingSqsClient(emulator), queueUrl, queueArn, region });
  const received: SqsEventRecord[] = [];
  const jobs = () => received.flatMap(unpacked);
  while (jobs().length < batch) received.push(...(await receiver.receive({ max: 10, waitSeconds: 1 })));
  const heap = [
    `--max-old-space-size=${Math.floor(stage.memoryMiB * 0.9)}`,
    `--max-semi-space-size=${Math.ceil(stage.memoryMiB / 20)}`,
  ];
  const child = fork(
    fileURLToPath(new URL('./run-function.ts', import.meta.url)),
    [join(bundles, stage.name, 'index.mjs')],
    {
      execArgv: heap,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: variablesOf(emulator),
    },
  );
  await once(child, 'message');
  const before = cpuSecondsOf(child.pid ?? 0);
  // One by one, so that the answer says which failed.
  child.send({ Records: jobs().slice(0, stage.batchSize) });
  const [answer] = await once(child, 'message');
  const { batchItemFailures } = answerSchema.parse(answer);
  if (batchItemFailures.length > 0)
    throw new Error(`${stage.name}: ${batchItemFailures.length} of ${stage.batchSize} failed`);
  const peakMiB = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1_024;
  const cpuSeconds = cpuSecondsOf(child.pid ?? 0) - before;
  child.kill();
  await once(child, 'exit');
  await receiver.remove(received);
  return { peakMiB, cpuSeconds };
}

function variablesOf(emulator: Emulator): Record<string, string> {
  return {
    AWS_REGION: emulator.region,
    AWS_ACCESS_KEY_ID: 'none',
    AWS_SECRET_ACCESS_KEY: 'none',
    PILLARBOX_BUCKET: emulator.bucket,
    PILLARBOX_ENDPOINT: emulator.endpoint,
    PILLARBOX_SECRETS_DIRECTORY: '.',
    ...Object.fromEntries(queueNames.map((queue) => [queueUrlVariable(queue), emulator.queueUrl(queue)])),
  };
}
