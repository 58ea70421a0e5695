// `npm run test:templates`: What a deploy says of the stored configuration: the bundle that ships, called as CloudFormation calls it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { compareConfig } from '#cdk/compare-config/compare-config.ts';
import { deployedOptions, parseOptions } from '#cdk/options.ts';
import { configKey } from '#pipeline/contract/keys.ts';
import { type EmulatedDeployment, emulateDeployment } from '#test/support/aws/emulated-deployment.ts';
import { sharedBundles } from '#test/support/aws/shared-bundles.ts';
import { flat, resourcesOf, synthesize } from './synthesize.ts';

const options = deployedOptions(
  parseOptions({ serviceName: 'mail-test', hostname: 'mx.a.test', domains: ['a.test'], smarthost: 'relay.b.test' }),
);
const fitting = {
  hostname: 'mx.a.test',
  tls: { certificate: 'secret:tls-certificate', key: 'secret:tls-key' },
  domains: { 'a.test': {} },
  delivery: { mode: 'smarthost', smarthost: { host: 'relay.b.test' } },
};

let stack: EmulatedDeployment;
/** What CloudFormation got, and how it answers. */
const taken: { type: string | undefined; answer: any }[] = [];
let status = 200;
const cloudFormation = createServer(async (request, response) => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  taken.push({ type: request.headers['content-type'], answer: JSON.parse(Buffer.concat(parts).toString('utf8')) });
  response.writeHead(status).end();
});

before(async () => {
  stack = await emulateDeployment('mail-test', {});
  await new Promise<void>((resolve) => cloudFormation.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  cloudFormation.close();
  await stack.close();
});

/** Runs it, over what is stored; what CloudFormation was told. */
async function compared(stored: object | string, type = 'Update', bucket = stack.bucket): Promise<any> {
  const body = Buffer.from(typeof stored === 'string' ? stored : JSON.stringify(stored));
  await stack.store.put({ key: configKey, body, contentType: 'application/json' });
  const request = {
    RequestType: type,
    ResponseURL: `http://127.0.0.1:${(cloudFormation.address() as AddressInfo).port}/answer?signed=yes`,
    StackId: 'arn:stack',
    RequestId: 'r1',
    LogicalResourceId: 'Comparison',
    ResourceProperties: { ServiceToken: 'arn:function', Options: JSON.stringify(options) },
  };
  const bundle = join(await sharedBundles(), 'compare-config/index.mjs');
  const code = `const { handler } = await import(${JSON.stringify(bundle)}); await handler(${JSON.stringify(request)});`;
  const env = { AWS_REGION: stack.region, PILLARBOX_BUCKET: bucket, PILLARBOX_ENDPOINT: stack.endpoint };
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code], { env });
  return taken.at(-1)?.answer;
}

test('a stored configuration that differs is named setting by setting, and the deploy goes on', async () => {
  const { Status, StackId, RequestId, LogicalResourceId, PhysicalResourceId, Data } = await compared({
    ...fitting,
    hostname: 'mx.old.test',
    retention: { inboxDays: 7 },
  });
  assert.deepEqual(
    [Status, StackId, RequestId, LogicalResourceId, PhysicalResourceId],
    ['SUCCESS', 'arn:stack', 'r1', 'Comparison', 'config-comparison'],
  );
  assert.match(
    Data.Found,
    /^20\d\d-\d\d-\d\dT\S+Z: 2 to mend: hostname: mx\.old\.test here, but deployed with hostname mx\.a\.test; .* \| retention\.inboxDays: 7 here, but /,
  );
  assert.equal(taken.at(-1)?.type ?? '', '', 'the URL is signed for no type');
});

test('one that fits, one that is broken and one that cannot be read end no deploy', async () => {
  const founds = [
    await compared(fitting),
    await compared('{"hostname": "mx.a'),
    await compared(fitting, 'Create', 'no-such-bucket'),
    await compared(fitting, 'Delete'),
  ];
  assert.deepEqual(
    founds.map(({ Status }) => Status),
    Array.from({ length: 4 }, () => 'SUCCESS'),
  );
  const [fits, broken, absent] = founds.map(({ Data }) => Data.Found.slice('2026-11-27T00:00:00.000Z: '.length));
  assert.equal(fits, 'it does what the options say');
  assert.match(broken, /^not compared: s3:\/\/\S+\/config\/pillarbox\.json/);
  assert.match(absent, /^not compared: s3:\/\/no-such-bucket\/\S+ is not there/);
});

test('an answer that CloudFormation does not take is given again: the function fails', async () => {
  status = 503;
  await assert.rejects(compared(fitting), /did not take the answer: 503/);
  status = 200;
});

test('what is found fits an output of a stack', async () => {
  const domains = Array.from({ length: 60 }, (_, n) => `a-rather-long-domain-number-${n}.test`);
  const found = await compareConfig({
    read: async () => JSON.stringify(fitting),
    options: JSON.stringify({ ...options, domains }),
    where: 'it',
  });
  assert.match(found, /^1 to mend: domains: .* … \(the command of output NextStep says all\)$/);
  assert.ok(`${new Date().toISOString()}: ${found}`.length <= 1_024);
});

test('the template calls it with the options of the listener, lets it read that one object, and prints what it found', async () => {
  const { service } = await synthesize({ encryption: 'kms' });
  const [[, comparison]] = resourcesOf(service, 'Custom::PillarboxConfiguration') as any;
  const [[, task]] = resourcesOf(service, 'AWS::ECS::TaskDefinition') as any;
  const [{ Environment }] = task.Properties.ContainerDefinitions;
  const ofListener = Environment.find(({ Name }: any) => Name === 'PILLARBOX_OPTIONS').Value;
  assert.equal(comparison.Properties.Options, ofListener);
  assert.match(JSON.stringify(service.toJSON().Outputs.StoredConfiguration.Value), /"Found"/);
  const policies = resourcesOf(service, 'AWS::IAM::Policy').filter(([id]) => id.startsWith('ConfigComparison'));
  const statements = policies.flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement);
  const allowed = statements.map(({ Action, Resource }: any) => `${Action} ${flat(Resource)}`);
  assert.equal(allowed.length, 3);
  assert.match(allowed[0], /^s3:GetObject \S+\/config\/pillarbox\.json$/);
  assert.match(allowed[1], /^kms:Decrypt /);
  assert.match(allowed[2], /^logs:CreateLogStream,logs:PutLogEvents /);
});
