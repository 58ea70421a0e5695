// Each command of the documentation that needs no account of AWS runs, as it is written: against one local server, and where `--stack` is
// named against a deployment in the emulator.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { CreateQueueCommand } from '@aws-sdk/client-sqs';
import { contextOptions } from '#cdk/context-options.ts';
import { deployedOptions, parseOptions } from '#cdk/options.ts';
import { commands } from '#cli/commands.ts';
import { createS3Client, createSqsClient } from '#pipeline/aws/clients.ts';
import { createS3Store } from '#pipeline/aws/s3-store.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { configKey, deliveryKey, deployedOptionsKey, lastGoodConfigKey } from '#pipeline/contract/keys.ts';
import { newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { type EmulatedDeployment, emulateDeployment } from '#test/support/aws/emulated-deployment.ts';
import { type OperatorsAws, operatorsAws } from '#test/support/aws/operators-aws.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { sampleDeliverJob, sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { allMessages, eventually, type LocalService, startLocalService } from '#test/support/worlds/local-service.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';
import { claims, commandTable, type Places, regions, substituted } from './command-table.ts';
import { type DocsShell, openDocsShell } from './docs-shell.ts';
import { blocksOf, commandsOf, type DocsCommand, docsPages, home } from './read-docs.ts';

const pages = docsPages();
const all = pages.flatMap(commandsOf);
const at = ({ file, line, text }: DocsCommand) => `${file}:${line}: ${text}`;
const rowsOf = ({ text }: DocsCommand) => commandTable.filter(({ is }) => is.test(text));

test('each command of the documentation is one that runs here, or one that says why it does not', () => {
  assert.deepEqual(
    all
      .filter((command) => rowsOf(command).length !== 1)
      .map((command) => `${at(command)} (${rowsOf(command).length} rows)`),
    [],
  );
  const idle = commandTable.filter(({ is }) => !all.some(({ text }) => is.test(text)));
  assert.deepEqual(idle, [], 'no row is for nothing');
});

test('what does not run here is good shell; who runs it does; and a command spoken of by its name exists', () => {
  const names = commands.map(({ name }) => name);
  const { scripts } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  for (const command of all) {
    for (const row of rowsOf(command)) {
      if (row.kind === 'account') execFileSync('sh', ['-n', '-c', command.text]);
      if (row.kind === 'elsewhere') assert.match(readFileSync(join(home, row.by), 'utf8'), row.says, at(command));
      if (row.kind === 'script') assert.ok(scripts[command.text.replace(/^npm (?:run )?(\S+).*$/s, '$1')], at(command));
      if (row.kind === 'name') assert.ok(names.includes(command.text.replace(/^(?:npx )?pillarbox /, '')), at(command));
    }
  }
});

test('options that a deploy is told, on the command line or by cdk.json, are options with such values', () => {
  const blocks = blocksOf(readFileSync(join(home, 'docs/deploy.md'), 'utf8'));
  const context =
    blocks.find(({ lines }) => lines[0]?.startsWith('"hostname": ')) ?? assert.fail('no options for cdk.json');
  assert.ok(contextOptions(JSON.parse(`{ ${context.lines.join('').replace(/,\s*$/, '')} }`), 'accepted'));
  for (const command of all.filter(({ text }) => /\bcdk deploy\b/.test(text))) {
    const given = [...command.text.matchAll(/ -c (\S+?)=(\S+)/g)].map(([, key, value]) => [key, value]);
    assert.ok(contextOptions({ ...Object.fromEntries(given), trial: 'true' }, 'accepted'), at(command));
  }
});

describe('run as written', peerOptions('curl', 'swaks', 'sha256sum'), () => {
  const folder = temporaryFolder();
  let [service, stack, aws, shell]: [LocalService, EmulatedDeployment, OperatorsAws, DocsShell] = [] as never;
  let ids: Pick<Places, 'localId' | 'stackId'>;
  const asked = new Set<string>();
  const ending: (() => void | Promise<void>)[] = [];
  before(async () => {
    [service, stack] = await Promise.all([
      startLocalService({ after: (end: any) => ending.push(end) }, { folder }),
      emulateDeployment('pillarbox', deployed.config),
    ]);
    aws = await operatorsAws(stack.endpoint);
    shell = await openDocsShell({ endpoint: aws.endpoint, mxPort: service.ports.mx, data: join(folder, 'data') });
    const server = ['--server', `127.0.0.1:${service.ports.mx}`];
    const sent = await runInProcess(['send', '--from', 'ann@a.example', '--to', 'support@b.example', ...server]);
    ids = { localId: sent.out.trim(), stackId: await mailIn(stack) };
    await eventually('it is there', async () => (await allMessages(service)).length === 1);
  });
  after(async () => {
    shell.close();
    aws.close();
    await stack.close();
    for (const end of ending) await end();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const page of pages) {
    const commandsHere = all.filter(({ file }) => file === page);
    const runs = commandsHere.filter((command) => rowsOf(command)[0]?.kind === 'run');
    if (runs.length === 0) continue;
    test(`the ${runs.length} commands of ${page} do what it says`, async () => {
      aws.reset();
      await deploy(stack);
      const region = runs.some(({ text }) => text.startsWith('export AWS_REGION')) ? null : stack.region;
      const config = runs.some(({ text }) => text.includes('pillarbox init')) ? null : local;
      const { folder: here, run } = shell.openPage({ region, config });
      let behind = '';
      for (const command of commandsHere) {
        const text = substituted(command.text, { ...ids, mxPort: service.ports.mx, http: service.http, folder: here });
        const claim = claims.find((one) => one.of.test(text) && one.behind?.test(behind) !== false);
        if (!runs.includes(command)) doInAccount(aws, command.text);
        else if (isNew(text, claim)) checkRan(command, { claim, text, ran: await run(text) });
        behind = command.text;
        if (/pillarbox (?:check|config|dkim new|user add)\b/.test(text)) for (const one of aws.asked) asked.add(one);
        aws.asked.clear();
      }
    });
  }

  test('the policy of docs/deploy.md lets the operator do what check, config, dkim new and user add ask of AWS, and nothing more', () => {
    const blocks = blocksOf(readFileSync(join(home, 'docs/deploy.md'), 'utf8'));
    const policy = blocks.find(({ lines }) => lines[1]?.includes('"Version"')) ?? assert.fail('no policy');
    const allowed = JSON.parse(policy.lines.join('\n')).Statement.flatMap(({ Action, Resource }: any) =>
      [Action].flat().map((action) => ({ action, resource: Resource })),
    );
    assert.deepEqual(
      [...asked].filter((one) => !allowed.some((other: any) => allows(other, one))),
      [],
    );
    assert.deepEqual(
      allowed.filter((other: any) => ![...asked].some((one) => allows(other, one))),
      [],
    );
  });

  test('npx itself finds the command in the repository', async () => {
    const env = { ...process.env, PILLARBOX_URL: service.http };
    const { stdout } = await promisify(execFile)('npx', ['pillarbox', 'list'], { cwd: home, env });
    assert.match(stdout, new RegExp(`^${ids.localId} `, 'm'));
  });
});

/** `asked`: an action, and the key in the bucket if it is one of S3's. */
function allows({ action, resource }: { readonly action: string; readonly resource: string }, asked: string): boolean {
  const [name, key = ''] = asked.split(' ');
  const [, path = ''] = /^arn:aws:s3:::[^/]+\/?(.*)$/.exec(resource) ?? [];
  return action === name && (path.endsWith('*') ? key.startsWith(path.slice(0, -1)) : path === key);
}

type Claim = (typeof claims)[number];
type Ran = Awaited<ReturnType<ReturnType<DocsShell['openPage']>['run']>>;

function checkRan(
  command: DocsCommand,
  { claim, text, ran }: { claim: Claim | undefined; text: string; ran: Ran },
): void {
  const shown = `${at(command)}\nran as: ${text}\n${ran.out}${ran.err}${ran.cli.map(({ err }) => err).join('')}`;
  assert.equal(ran.cli.at(-1)?.code ?? ran.code, claim?.exit ?? 0, shown);
  assert.match(ran.cli.at(-1)?.out ?? ran.out, claim?.prints ?? /(?:)/, shown);
}

const known = new Map<string, Claim | undefined>();

/** The same words on another page do the same, and cost as much; not so what writes a file that the next command reads. */
function isNew(text: string, claim: Claim | undefined): boolean {
  const isKnown = !text.includes('>') && known.has(text) && known.get(text) === claim;
  known.set(text, claim);
  return !isKnown;
}

/** What a command for the account changes there, as far as commands after it tell of it. */
function doInAccount(aws: OperatorsAws, text: string): void {
  const [, identity] = /aws sesv2 create-email-identity --email-identity (\S+)/.exec(text) ?? [];
  const [, name, mailFrom] = /aws sesv2 put-\S+ --email-identity (\S+) --mail-from-domain (\S+)/.exec(text) ?? [];
  const dkim = { VerifiedForSendingStatus: false, VerificationStatus: 'PENDING' };
  const tokens = { Status: 'PENDING', Tokens: ['t1', 't2', 't3'] };
  if (identity !== undefined) aws.identities.set(identity, { ...dkim, DkimAttributes: tokens });
  if (name === undefined) return;
  const verified = { VerifiedForSendingStatus: true, VerificationStatus: 'SUCCESS', DkimAttributes: tokens };
  const MailFromAttributes = { MailFromDomain: mailFrom, MailFromDomainStatus: 'PENDING' };
  aws.identities.set(name, { ...verified, MailFromAttributes });
}

/** On a machine of one's own, with a user. */
const local: ConfigInput = {
  hostname: 'mx.example.org',
  domains: { 'example.org': { mailboxes: ['support'] } },
  users: [{ name: 'app@example.org', password: openSesameHash, mayFrom: ['app@example.org'] }],
};

/** What the first deploy writes, by the options of step 1 of docs/deploy.md but for the relay: SES. */
const deployed = {
  config: {
    hostname: 'mx1.example.org',
    tls: { certificate: 'secret:tls-certificate', key: 'secret:tls-key' },
    domains: { 'example.org': { mailboxes: ['postmaster', 'support'] } },
    delivery: {
      mode: 'smarthost',
      smarthost: {
        host: 'email-smtp.us-east-1.amazonaws.com',
        port: 587,
        tls: 'starttls',
        user: 'replace-with-the-smtp-user',
        password: 'secret:smarthost-password',
      },
    },
    srsSecret: 'secret:srs',
    dns: { servers: ['127.0.0.1:1'], timeoutSeconds: 1 },
  } satisfies ConfigInput,
  options: {
    ...deployedOptions(parseOptions({ hostname: 'mx1.example.org', domains: ['example.org'] })),
    addresses: { mx: ['192.0.2.25', '192.0.2.26'], outbound: null },
  },
};

async function deploy({ store, endpoint }: EmulatedDeployment): Promise<void> {
  const put = (to: typeof store, key: string, value: object) =>
    to.put({ key, body: Buffer.from(JSON.stringify(value, null, 2)), contentType: 'application/json' });
  await put(store, configKey, deployed.config);
  await put(store, lastGoodConfigKey, deployed.config);
  await put(store, deployedOptionsKey, deployed.options);
  const region = regions['eu-west-1'];
  const s3 = createS3Client({ region, endpoint });
  const sqs = createSqsClient({ region, endpoint });
  const second = createS3Store({ s3, bucket: `pillarbox-mail-000000000000-${region}` });
  await s3.send(new CreateBucketCommand({ Bucket: `pillarbox-mail-000000000000-${region}` }));
  await sqs.send(new CreateQueueCommand({ QueueName: 'pillarbox-received' }));
  await put(second, configKey, deployed.config);
  await put(second, deployedOptionsKey, { ...deployed.options, hostname: 'mx2.example.org' });
}

/** A message to support@example.org that was delivered, and whose forward waits; its id. */
async function mailIn({ intake, runStages, store }: EmulatedDeployment): Promise<string> {
  const content = Buffer.from('From: ann@sender.example\r\nSubject: Help\r\n\r\nIt is broken.\r\n');
  const receivedAt = new Date().toISOString();
  const mailbox = { domain: 'example.org', localPart: 'support', tag: null };
  const forwardPath = 'support@example.org';
  const recipients = [
    { forwardPath, dsn: { notify: null, orcpt: null }, route: { kind: 'mailbox' as const, mailbox } },
  ];
  const job = sampleReceivedJob({ content, recipients, receivedAt });
  const { session, reversePath } = job.envelope;
  const envelope = { receivedAt, session, reversePath, forwardPaths: [forwardPath] };
  const writer = intake.open({ key: job.raw.key, envelope });
  await writer.write(content);
  await writer.commit(job);
  await runStages();
  const forward = sampleDeliverJob({ id: job.id, receivedAt, domain: 'far.example' });
  const body = Buffer.from(JSON.stringify(newDeliveryState(forward, Date.now())));
  await store.put({ key: deliveryKey(forward), body, contentType: 'application/json' });
  return job.id;
}
