// What the reader of the documentation has when the commands of a page begin: a deployment after its first deploy, with a message in it.
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { CreateQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { deployedOptions, parseOptions } from '#cdk/options.ts';
import type { EmailAddress } from '#mail/address/address.ts';
import { type MessageId, messageIdFactory } from '#mail/header/message-id.ts';
import { createS3Client, createSqsClient } from '#pipeline/aws/clients.ts';
import { createS3Store } from '#pipeline/aws/s3-store.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { storedReference } from '#pipeline/config/stored-hashes.ts';
import {
  configKey,
  deliveryKey,
  deployedOptionsKey,
  lastGoodConfigKey,
  messageKey,
  passwordHashKey,
  suppressionKey,
} from '#pipeline/contract/keys.ts';
import { messageQueryName } from '#pipeline/contract/message-query.ts';
import { newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { emptyRecord } from '#pipeline/contract/records/suppression.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import type { EmulatedDeployment } from '#test/support/aws/emulated-deployment.ts';
import type { OperatorsAws } from '#test/support/aws/operators-aws.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { sampleDeliverJob, sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';
import { regions } from './command-table.ts';

/** On a machine of one's own, with a user. */
export const local: ConfigInput = {
  hostname: 'mx.example.org',
  domains: { 'example.org': { mailboxes: ['support'] } },
  users: [{ name: 'app@example.org', password: openSesameHash, mayFrom: ['app@example.org'] }],
};

/** What the first deploy writes, by the options of step 1 of docs/deploy.md but for the relay: SES. */
export const deployed = {
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
    users: [{ name: 'site@example.org', password: storedReference(openSesameHash), mayFrom: ['*@example.org'] }],
    srsSecret: 'secret:srs',
    dns: { servers: ['127.0.0.1:1'], timeoutSeconds: 1 },
  } satisfies ConfigInput,
  options: {
    ...deployedOptions(parseOptions({ hostname: 'mx1.example.org', domains: ['example.org'] })),
    addresses: { mx: ['192.0.2.25', '192.0.2.26'], outbound: null },
  },
};

const hash = {
  key: passwordHashKey(storedReference(openSesameHash).slice('stored:'.length)),
  body: Buffer.from(openSesameHash),
  contentType: 'text/plain',
};

const suppressed = { localPart: 'gone', domain: 'far.example' as EmailAddress['domain'] };

/** Both regions as a deploy leaves them; `id`: of the message that the log tells of. */
export async function deploy({ store, endpoint }: EmulatedDeployment, aws: OperatorsAws, id: string): Promise<void> {
  const put = (to: typeof store, key: string, value: object) =>
    to.put({ key, body: Buffer.from(JSON.stringify(value, null, 2)), contentType: 'application/json' });
  aws.logs.definitions.push({ name: messageQueryName('pillarbox'), lastModified: 1, logGroupNames: ['listener'] });
  const message = JSON.stringify({ event: 'message-accepted', stage: 'listener', id });
  aws.logs.groups.set('listener', { createdMs: 0, retentionDays: 30, lines: [{ atMs: Date.now(), message }] });
  await put(store, configKey, deployed.config);
  await put(store, lastGoodConfigKey, deployed.config);
  await store.put(hash);
  await put(store, deployedOptionsKey, deployed.options);
  await put(store, suppressionKey(suppressed), emptyRecord(suppressed));
  const region = regions['eu-west-1'];
  const { s3, store: second } = secondRegion(endpoint);
  const sqs = createSqsClient({ region, endpoint });
  await s3.send(new CreateBucketCommand({ Bucket: `pillarbox-mail-000000000000-${region}` }));
  await sqs.send(new CreateQueueCommand({ QueueName: 'pillarbox-received' }));
  await put(second, configKey, { ...deployed.config, users: [] });
  await put(second, deployedOptionsKey, { ...deployed.options, hostname: 'mx2.example.org' });
}

function secondRegion(endpoint: string) {
  const region = regions['eu-west-1'];
  const s3 = createS3Client({ region, endpoint });
  return { s3, store: createS3Store({ s3, bucket: `pillarbox-mail-000000000000-${region}` }) };
}

/**
 * A message to support@example.org that was delivered, and whose forward waits, a dead letter; its id. Beside it one with an attachment,
 * whose jobs were done an hour ago, from news@sender.example, in the inbox and in quarantine.
 */
export async function mailIn(stack: EmulatedDeployment): Promise<string> {
  const { store, sqs, deadUrl } = stack;
  const attached = 'Content-Disposition: attachment; filename=rain.csv';
  const news = `From: news@sender.example\r\nSubject: News\r\n${attached}\r\n\r\nday,mm\r\n`;
  const old = Date.now() - 7_200_000;
  const { id, receivedAt: newsAt } = await take(stack, news, {
    id: messageIdFactory()(old),
    receivedAt: new Date(old).toISOString(),
  });
  const { job, receivedAt } = await helpIn(stack);
  const [inbox, quarantine] = (['inbox', 'quarantine'] as const).map((folder) =>
    messageKey(folder, { id, receivedAt: newsAt, domain: 'example.org', localPart: 'support' }),
  );
  const copy = await readBody((await store.get(inbox!))!.body);
  await store.put({ key: quarantine!, body: copy, contentType: 'application/json' });
  const forward = { ...sampleDeliverJob({ id: job.id, receivedAt, domain: 'far.example' }), raw: job.raw };
  const body = Buffer.from(JSON.stringify(newDeliveryState(forward, Date.now())));
  await store.put({ key: deliveryKey(forward), body, contentType: 'application/json' });
  await sqs.send(new SendMessageCommand({ QueueUrl: deadUrl('deliver'), MessageBody: JSON.stringify(forward) }));
  return job.id;
}

type Taken = { readonly id?: MessageId; readonly receivedAt: string };

/** A message to support@example.org that was delivered just now. */
export async function helpIn(stack: EmulatedDeployment) {
  const receivedAt = new Date().toISOString();
  const help = 'From: ann@sender.example\r\nSubject: Help\r\n\r\nIt is broken.\r\n';
  const job = await take(stack, help, { receivedAt });
  await stack.runStages();
  return { job, receivedAt };
}

async function take({ intake }: EmulatedDeployment, text: string, { receivedAt, ...named }: Taken) {
  const content = Buffer.from(text);
  const mailbox = { domain: 'example.org', localPart: 'support', tag: null };
  const forwardPath = 'support@example.org';
  const recipients = [
    { forwardPath, dsn: { notify: null, orcpt: null }, route: { kind: 'mailbox' as const, mailbox } },
  ];
  const job = sampleReceivedJob({ content, recipients, receivedAt, ...named });
  const { session, reversePath } = job.envelope;
  const envelope = { receivedAt, session, reversePath, forwardPaths: [forwardPath] };
  const writer = intake.open({ key: job.raw.key, envelope });
  await writer.write(content);
  await writer.commit(job);
  return job;
}

/** What a command for the account changes there, as far as commands after it tell of it. */
export async function doInAccount({ endpoint }: EmulatedDeployment, aws: OperatorsAws, text: string): Promise<void> {
  if (/^aws s3 cp s3:\S+\/config\/hashes\/ s3:/.test(text)) await secondRegion(endpoint).store.put(hash);
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
