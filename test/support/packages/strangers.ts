// What strangers write: a consumer in ESM and in CommonJS, a CDK app, and somebody at a terminal.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sampleMessage } from '#test/support/samples/sample-message.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { mustRun, writeFiles } from './fresh-app.ts';

const body = `
const message = JSON.parse(readFileSync('message.json', 'utf8'));
const s3 = { getObject: async () => ({ Body: { transformToByteArray: async () => Buffer.from(JSON.stringify(message)) } }) };
const event = { source: 'aws.s3', 'detail-type': 'Object Created', detail: { bucket: { name: 'b' }, object: { key: 'inbox/a.example/ann/1.json' } } };
const headers = {
  'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  'webhook-timestamp': '1614265330',
  'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};
readMail(event, { s3 }).then(([mail]) => {
  const { payload } = verifyWebhook(
    { headers, body: '{"test": 2432232314}' },
    { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', now: () => 1614265330000 },
  );
  console.log(mail.subject, payload.test, inboxMessageSchema.parse(message).id === mail.id, schema.title);
});
`;

/** `consume.mjs` and `consume.cjs`; each prints {@link consumed}. */
export const consumers: Readonly<Record<string, string>> = {
  'message.json': JSON.stringify(sampleMessage()),
  'consume.mjs': `import { readFileSync } from 'node:fs';
import { inboxMessageSchema, readMail, verifyWebhook } from 'pillarbox';
import schema from 'pillarbox/schemas/inbox-message.schema.json' with { type: 'json' };
${body}`,
  'consume.cjs': `const { readFileSync } = require('node:fs');
const { inboxMessageSchema, readMail, verifyWebhook } = require('pillarbox/consume');
const schema = require('pillarbox/schemas/inbox-message.schema.json');
${body}`,
};

/** What a consumer prints. */
export const consumed = 'Hello 2432232314 true A message in inbox/ or quarantine/, version 1\n';

/** A stack that has Pillarbox in it, and a rule for one mailbox; the app synthesizes it into `cdk.out`. */
export const cdkApp: Readonly<Record<string, string>> = {
  'lib/mail-stack.ts': `import * as cdk from 'aws-cdk-lib';
import { Code, Function as Lambda, Runtime } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { type InboxMessage, type Mail, readMail } from 'pillarbox';
import { MailRule, Pillarbox } from 'pillarbox/cdk';

export class MailStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props?: cdk.StackProps) {
    super(scope, id, props);
    const mail = new Pillarbox(this, 'Mail', {
      hostname: 'mx.pillarbox.example',
      domains: ['pillarbox.example'],
      events: true,
      firstConfig: { domains: { 'pillarbox.example': { mailboxes: ['postmaster', 'support'] } } },
    });
    const handler = new Lambda(this, 'Tickets', {
      runtime: Runtime.NODEJS_24_X,
      handler: 'index.handler',
      code: Code.fromInline('exports.handler = async () => {}'),
    });
    new MailRule(this, 'Support', {
      mail,
      domain: 'pillarbox.example',
      mailbox: 'support',
      target: { kind: 'function', handler },
    });
    mail.bucket.grantRead(handler);
  }
}

export async function subjects(event: unknown): Promise<readonly InboxMessage['subject'][]> {
  const mails: readonly Mail[] = await readMail(event);
  return mails.map(({ subject }) => subject);
}
`,
  'bin/app.ts': `import * as cdk from 'aws-cdk-lib';
 import { MailStack } from '../lib/mail-stack.js';

const app = new cdk.App({ outdir: 'cdk.out' });
new MailStack(app, 'MyStack');
app.synth();
`,
};

/** Looks at what the CDK app synthesized: three stacks, the first configuration, and the functions' code that came with the package. */
export function checkSynthesized(folder: string): void {
  const out = join(folder, 'cdk.out');
  const { artifacts } = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'));
  const stacks = Object.values<any>(artifacts).filter(({ type }) => type === 'aws:cloudformation:stack');
  assert.deepEqual(stacks.map(({ properties, displayName }) => properties.stackName ?? displayName).sort(), [
    'MyStack',
    'pillarbox-data',
    'pillarbox-service',
  ]);
  const data = stacks.find(({ properties }) => properties.stackName === 'pillarbox-data');
  assert.match(readFileSync(join(out, data.properties.templateFile), 'utf8'), /postmaster[\\", n]+support/);
  const service = stacks.find(({ properties }) => properties.stackName === 'pillarbox-service');
  const assets = readFileSync(join(out, service.properties.templateFile.replace('.template.', '.assets.')), 'utf8');
  const folders: string[] = Object.values<any>(JSON.parse(assets).files).map(({ source }) => source.path);
  // Three stages, and what a deploy runs.
  assert.equal(folders.filter((path) => existsSync(join(out, path, 'index.mjs'))).length, 4);
  assert.deepEqual(
    Object.values<any>(JSON.parse(assets).dockerImages).map(({ source }) =>
      existsSync(join(out, source.directory, 'main.mjs')),
    ),
    [true],
  );
  rmSync(out, { recursive: true });
}

/** Starts the server by `node_modules/.bin/pillarbox` on free ports with a handler for a hook, sends, lists; it ends in order with a signal. `node` runs it all. */
export async function checkCommandLine(folder: string, node: string): Promise<void> {
  const pillarbox = [node, 'node_modules/.bin/pillarbox'];
  writeFiles(folder, {
    'pillarbox.json': `{ "mode": "capture", "listeners": [{ "role": "mx", "port": 2525 }],
      "hooks": [{ "name": "told", "module": "told.mts" }] }`,
    'told.mts': `import { writeFileSync } from 'node:fs';
      import { readMail } from 'pillarbox';
      export async function handler(event: unknown) {
        for (const mail of await readMail(event)) writeFileSync('told', mail.subject ?? '');
      }`,
  });
  const server = spawn(node, ['node_modules/.bin/pillarbox', '--smtp', '0', '--http', '0'], {
    cwd: folder,
    stdio: 'ignore',
  });
  try {
    const running = join(folder, '.pillarbox/running.json');
    await eventually('the server runs', () => existsSync(running) && readFileSync(running, 'utf8').endsWith('}\n'));
    const mail = ['--from', 'ann@a.example', '--to', 'bob@b.example', '--subject', 'packed', '--text', 'hello'];
    await mustRun(folder, [...pillarbox, 'send', ...mail]);
    await eventually('it is listed', async () =>
      /bob@b\.example +packed/.test(await mustRun(folder, [...pillarbox, 'list'])),
    );
    await eventually('the handler is called', () => existsSync(join(folder, 'told')));
    await eventually('it is told', () => readFileSync(join(folder, 'told'), 'utf8') === 'packed');
    assert.match(await agentWaits(folder, node, 'bob@b.example'), /^Subject: packed$/m);
    const { http } = JSON.parse(readFileSync(running, 'utf8'));
    assert.match(await (await fetch(http)).text(), /<script/);
  } finally {
    server.kill('SIGTERM');
    await once(server, 'exit');
  }
  assert.equal(existsSync(join(folder, '.pillarbox/running.json')), false, 'it ended in order');
  rmSync(join(folder, '.pillarbox'), { recursive: true });
  rmSync(join(folder, 'told'));
}

/** What an agent reads of a message to this address, by `pillarbox mcp` and the protocol as it is written (JSON-RPC, a line each). */
async function agentWaits(folder: string, node: string, to: string): Promise<string> {
  const server = spawn(node, ['node_modules/.bin/pillarbox', 'mcp'], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: server.stdout });
  const initialize = {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'stranger', version: '1' },
  };
  for (const message of [
    { id: 1, method: 'initialize', params: initialize },
    { method: 'notifications/initialized' },
    { id: 2, method: 'tools/call', params: { name: 'wait_for_message', arguments: { to } } },
  ]) {
    server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }
  const answers: any[] = [];
  for await (const line of lines) {
    if (answers.push(JSON.parse(line)) === 2) break;
  }
  const exited = once(server, 'exit');
  server.stdin.end();
  assert.deepEqual(await exited, [0, null]);
  const [{ result }, { result: message }] = answers;
  assert.equal(result.serverInfo.name, 'pillarbox');
  return message.content[0].text;
}
