// The bundle that the container runs, as it runs there: environment, health, mail, SIGTERM.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { buildBundles } from '#local/build-bundles.ts';
import { createS3Store } from '#pipeline/aws/s3-store.ts';
import { configKey } from '#pipeline/contract/keys.ts';
import { emulatedAws } from '#test/support/aws/emulated-aws.ts';
import { collect } from '#test/support/fakes/memory-store.ts';

let folder = '';
let child: ChildProcess | null = null;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pillarbox-container-'));
  await buildBundles(folder);
});

after(async () => {
  child?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

test('mail is stored and queued before 250; SIGTERM ends it with exit code 0', async () => {
  const world = await emulatedAws();
  const store = createS3Store({ s3: world.s3, bucket: world.bucket });
  const config = { mode: 'capture', hostname: 'mx.receiver.example', listeners: [{ role: 'mx', port: 0 }] };
  await store.put({ key: configKey, body: Buffer.from(JSON.stringify(config)), contentType: 'application/json' });
  child = spawn(process.execPath, [join(folder, 'container', 'main.mjs')], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      AWS_REGION: world.emulator.region,
      PILLARBOX_BUCKET: world.bucket,
      PILLARBOX_QUEUE_RECEIVED_URL: world.emulator.queueUrl('received'),
      PILLARBOX_ENDPOINT: world.emulator.endpoint,
      PILLARBOX_HEALTH_PORT: '0',
      PILLARBOX_HEALTH_HOST: '127.0.0.1',
    },
  });
  const exited = once(child, 'exit');
  const started = await startedLine(child);
  const health = await fetch(`http://127.0.0.1:${started.healthPort}/health`);
  assert.equal(health.status, 200);
  const replies = await talk(started.listeners[0]?.port ?? 0);
  const id = /^250 2\.6\.0 .*\b([0-9A-HJKMNP-TV-Z]{26})\b/m.exec(replies)?.[1];
  assert.ok(id, replies);
  const [record] = await world.receiver('received').receive({ max: 10, waitSeconds: 0 });
  const job = z
    .looseObject({ id: z.string(), raw: z.looseObject({ key: z.string() }) })
    .parse(JSON.parse(record!.body));
  assert.equal(job.id, id);
  const raw = String(await collect((await store.get(job.raw.key))!.body));
  assert.match(raw, /^Received: [\s\S]*\r\nSubject: hello\r\n\r\nthe text\r\n$/);
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});

const startedSchema = z.object({ listeners: z.string(), healthPort: z.number() });
const listenersSchema = z.array(z.object({ role: z.string(), port: z.number() }));

async function startedLine(process: ChildProcess) {
  for await (const line of createInterface({ input: process.stdout! })) {
    const parsed = startedSchema.safeParse(JSON.parse(line));
    if (!parsed.success) continue;
    process.stdout!.resume();
    return { listeners: listenersSchema.parse(JSON.parse(parsed.data.listeners)), healthPort: parsed.data.healthPort };
  }
  throw new Error('the container ended before it had started');
}

/** Sends one message as pipelined commands would, one at a time; answers all replies. */
async function talk(port: number): Promise<string> {
  const commands = [
    'EHLO client.example',
    'MAIL FROM:<ann@sender.example>',
    'RCPT TO:<bob@receiver.example>',
    'DATA',
    'Subject: hello\r\n\r\nthe text\r\n.',
    'QUIT',
  ];
  const socket = connect(port, '127.0.0.1');
  let replies = '';
  for await (const chunk of socket) {
    replies += String(chunk);
    if (/^\d{3} [^\n]*\n$/m.test(replies.slice(replies.lastIndexOf('\n', replies.length - 2) + 1))) {
      const next = commands.shift();
      if (next !== undefined) socket.write(`${next}\r\n`);
    }
  }
  return replies;
}
