import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Template } from 'aws-cdk-lib/assertions';
import type { MessageId } from '#mail/header/message-id.ts';
import { rawKey } from '#pipeline/contract/keys.ts';
import { deadLetterQueue, lanesOf, listenerAccess, stages } from '#pipeline/contract/stages.ts';
import { flat, resourcesOf, synthesize } from '#test/cdk/synthesize.ts';

type Statement = {
  readonly Effect: string;
  readonly Action: string[];
  readonly Resource: string[];
  readonly Condition?: unknown;
};

const bucket = 'arn:<AWS::Partition>:s3:::pillarbox-mail-<AWS::AccountId>-<AWS::Region>';

test('no policy of ours allows every action or every resource', async () => {
  for (const mix of [{}, { deliveryMode: 'mx', encryption: 'kms', spot: true, versioning: true }]) {
    const { data, service } = await synthesize(mix);
    const allowed = [...allStatements(data), ...allStatements(service)].filter(({ Effect }) => Effect === 'Allow');
    assert.ok(allowed.length > 15);
    for (const { id, Action, Resource } of allowed) {
      for (const action of Action) assert.doesNotMatch(action, /\*/, `${id}: ${action}`);
      // ECR's token belongs to no repository: AWS grants it on all or none. It is the library's policy, not ours.
      if (Action.join() === 'ecr:GetAuthorizationToken') continue;
      for (const resource of Resource) assert.notEqual(resource, '*', `${id}: ${Action}`);
    }
  }
});

test('every trust in a service holds it to this account', async () => {
  const certificate = { certificate: 'acm', hostedZoneId: 'Z1', hostedZoneName: 'pillarbox.example' };
  const seen = new Set<string>();
  for (const mix of [
    {},
    { deliveryMode: 'mx', encryption: 'kms', alarmEmail: 'ops@pillarbox.example', ...certificate },
  ]) {
    const { data, service } = await synthesize(mix);
    for (const template of [data, service]) {
      for (const { id, principal, conditions } of serviceTrusts(template)) {
        seen.add(principal);
        assert.deepEqual(
          conditions?.StringEquals?.['aws:SourceAccount'],
          { Ref: 'AWS::AccountId' },
          `${id}: ${principal}`,
        );
      }
      for (const [id, { Properties }] of resourcesOf(template, 'AWS::Lambda::Permission'))
        assert.deepEqual(Properties.SourceAccount, { Ref: 'AWS::AccountId' }, id);
    }
  }
  for (const name of ['budgets', 'cloudwatch', 'ecs-tasks', 'events', 'lambda', 'vpc-flow-logs'])
    assert.ok(seen.has(`${name}.amazonaws.com`), name);
});

const parts = [
  { role: 'Listener', access: listenerAccess, consumes: [] },
  {
    role: 'Authenticate',
    access: stages.authenticate,
    consumes: lanesOf(stages.authenticate).map(({ consumes }) => consumes),
  },
  { role: 'Parse', access: stages.parse, consumes: [stages.parse.consumes] },
  { role: 'Deliver', access: stages.deliver, consumes: [stages.deliver.consumes] },
  { role: 'Notify', access: stages.notify, consumes: [stages.notify.consumes] },
] as const;

for (const { role, access, consumes } of parts) {
  test(`${role} may touch the keys, queues and secrets of its row in the table of stages, and no other`, async () => {
    const { service } = await synthesize({ hooks: 'true' });
    const statements = statementsOf(service, `${role}Role`);
    const granted = (action: string) =>
      statements
        .filter(({ Action }) => Action.includes(action))
        .flatMap(({ Resource }) => Resource)
        .sort();
    const objects = (prefixes: readonly string[]) =>
      prefixes.map((prefix) => `${bucket}/${prefix}${prefix.endsWith('/') ? '*' : ''}`).sort();
    assert.deepEqual(granted('s3:GetObject'), objects(access.reads));
    assert.deepEqual(granted('s3:PutObject'), objects(access.writes));
    const { looksForAbsent: patterns } = access;
    assert.deepEqual(granted('s3:ListBucket'), patterns.length === 0 ? [] : [bucket]);
    const { Condition } = statements.find(({ Action }) => Action.includes('s3:ListBucket')) ?? {};
    assert.deepEqual(Condition, patterns.length === 0 ? undefined : { StringLike: { 's3:prefix': [...patterns] } });
    assert.deepEqual(granted('s3:DeleteObject'), objects(access.deletes));
    const dead = consumes.map((queue) => deadLetterQueue(queueArn(queue)));
    assert.deepEqual(granted('sqs:SendMessage'), [...access.sends.map(queueArn), ...dead].sort());
    const read = granted('sqs:ReceiveMessage').map((arn) => /Queue(\w+)Queue/.exec(arn)?.[1]);
    assert.deepEqual(read, consumes.map((queue) => queue.replaceAll('-', '')).sort());
    assert.deepEqual(granted('secretsmanager:GetSecretValue'), access.secrets.map(secretArn).sort());
    const known =
      /^(s3:(GetObject|PutObject|DeleteObject|AbortMultipartUpload|ListBucket)|sqs:\w+|secretsmanager:GetSecretValue|logs:(CreateLogStream|PutLogEvents))$/;
    for (const { Action } of statements) for (const action of Action) assert.match(action, known);
  });
}

test('with a key of its own each part may decrypt, and encrypt only what it writes', async () => {
  const { service } = await synthesize({ encryption: 'kms', hooks: 'true' });
  for (const { role, access } of parts) {
    const actions = statementsOf(service, `${role}Role`).flatMap(({ Action }) => Action);
    const used = ['kms:Decrypt', ...(access.writes.length === 0 ? [] : ['kms:GenerateDataKey'])];
    assert.deepEqual(actions.filter((action: string) => action.startsWith('kms:')).sort(), used, role);
  }
});

test('the listener, to which the world connects, may list nothing', async () => {
  const { service } = await synthesize();
  const actions = statementsOf(service, 'ListenerRole').flatMap(({ Action }) => Action);
  assert.ok(actions.includes('s3:GetObject') && !actions.includes('s3:ListBucket'), `${actions}`);
});

test('of config/ each part reads two objects, the listener the hashes of passwords besides, and nobody the history of what was replaced', async () => {
  const { service } = await synthesize({ hooks: 'true' });
  for (const { role } of parts) {
    const reads = statementsOf(service, `${role}Role`).filter(({ Action }) => Action.includes('s3:GetObject'));
    const inConfig = reads.flatMap(({ Resource }) => Resource).filter((resource) => resource.includes('/config/'));
    const hashes = role === 'Listener' ? [`${bucket}/config/hashes/*`] : [];
    const objects = [`${bucket}/config/last-good.json`, `${bucket}/config/pillarbox.json`];
    assert.deepEqual(inConfig.sort(), [...hashes, ...objects], role);
  }
});

test('a write below raw/, inbox/ or quarantine/ is denied unless it says that nothing may be there', async () => {
  const { data } = await synthesize();
  const [[, policy]] = resourcesOf(data, 'AWS::S3::BucketPolicy') as any;
  const writeOnce = policy.Properties.PolicyDocument.Statement.find(({ Sid }: any) => Sid === 'WriteOnce');
  assert.equal(writeOnce.Effect, 'Deny');
  assert.equal(writeOnce.Condition.Null['s3:if-none-match'], 'true');
  assert.deepEqual(writeOnce.Resource.map((resource: unknown) => flat(resource).replace(/^<.*>\//, '')).sort(), [
    'inbox/*',
    'quarantine/*',
    'raw/*',
    'verdicts/*',
  ]);
});

test('who judges, parses or delivers may ask whether a stored message is there, and list none whose key it does not know', () => {
  for (const { looksForAbsent } of [stages.authenticate, stages.parse, stages.deliver]) {
    const key = rawKey({ id: '01KAJZ3M8R0000000000000000' as MessageId, receivedAt: '2026-11-21T12:00:00.000Z' });
    assert.ok(looksForAbsent.some((pattern) => isLike(key, pattern)));
    for (const prefix of [
      '',
      'inbox/',
      'deliveries/2026/',
      'raw/',
      'raw/2026/11/21/12/',
      key.slice(0, -1),
      'inbox/x.eml',
    ]) {
      assert.ok(!looksForAbsent.some((pattern) => isLike(prefix, pattern)), prefix);
    }
  }
});

/** StringLike of IAM: `*` is any text. */
function isLike(text: string, pattern: string): boolean {
  return new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(text);
}

/** Each statement, of roles and of resources, that lets a service in. */
function serviceTrusts(template: Template): { id: string; principal: string; conditions: any }[] {
  const resources: [string, any][] = Object.entries(template.toJSON()['Resources']);
  return resources.flatMap(([id, { Properties = {} }]) =>
    [Properties.AssumeRolePolicyDocument, Properties.PolicyDocument, Properties.KeyPolicy]
      .flatMap((document) => document?.Statement ?? [])
      .filter(({ Effect }) => Effect === 'Allow')
      .flatMap(({ Principal, Condition }) =>
        [Principal?.Service ?? []]
          .flat()
          .map((principal) => ({ id, principal: flat(principal), conditions: Condition })),
      ),
  );
}

function allStatements(template: Template): (Statement & { id: string })[] {
  const types = [
    'AWS::IAM::Policy',
    'AWS::IAM::ManagedPolicy',
    'AWS::S3::BucketPolicy',
    'AWS::SQS::QueuePolicy',
    'AWS::SNS::TopicPolicy',
    'AWS::KMS::Key',
  ];
  const documents = types.flatMap((type) =>
    resourcesOf(template, type).map(([id, { Properties }]) => ({ id, document: Properties.PolicyDocument ?? null })),
  );
  const inline = resourcesOf(template, 'AWS::IAM::Role').flatMap(([id, { Properties }]) =>
    (Properties.Policies ?? []).map((policy: any) => ({ id, document: policy.PolicyDocument })),
  );
  return [...documents, ...inline].flatMap(({ id, document }) =>
    (document?.Statement ?? []).map((statement: any) => ({ id, ...normal(statement) })),
  );
}

function statementsOf(template: Template, roleId: string): Statement[] {
  return resourcesOf(template, 'AWS::IAM::Policy')
    .filter(([, { Properties }]) => Properties.Roles.some((role: any) => flat(role).startsWith(`<${roleId}`)))
    .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement.map(normal));
}

function normal(statement: any): Statement {
  return {
    Effect: statement.Effect,
    Action: [statement.Action].flat(),
    Resource: [statement.Resource ?? []].flat().map(flat),
    ...(statement.Condition === undefined ? {} : { Condition: statement.Condition }),
  };
}

function queueArn(queue: string): string {
  return `arn:<AWS::Partition>:sqs:<AWS::Region>:<AWS::AccountId>:pillarbox-${queue}`;
}

function secretArn(name: string): string {
  const ending = name.endsWith('*') ? '' : '-??????';
  return `arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:pillarbox/${name}${ending}`;
}
