// The service as a construct in an app of one's own.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { App, Stack, Stage } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import type { Construct } from 'constructs';
import { Pillarbox, type PillarboxProps } from '#cdk/pillarbox.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { sharedBundles } from '#test/support/aws/shared-bundles.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { flat, resourcesOf, synthesize } from './synthesize.ts';

const flags = JSON.parse(readFileSync('cdk.json', 'utf8')).context;
const bundles = await sharedBundles();
const needed = { hostname: 'mx.pillarbox.example', domains: ['pillarbox.example'], bundles };

test('an app of one’s own takes over what cdk.json made: the same stacks, resource by resource', async () => {
  const made = await synthesize();
  const app = new App({ context: flags, analyticsReporting: false });
  const { data, service } = new Pillarbox(app, 'Mail', { ...needed, stacksIn: app });
  assert.deepEqual(Template.fromStack(data).toJSON(), made.data.toJSON());
  assert.deepEqual(Template.fromStack(service).toJSON(), made.service.toJSON());
  assert.deepEqual([data.artifactId, service.artifactId], ['pillarbox-data', 'pillarbox-service']);
});

test('in a stack that holds nothing else it synthesizes, to stacks of the same names', () => {
  const { data, service, node } = inStack();
  assert.ok(App.isApp(node.root));
  node.root.synth();
  assert.deepEqual([data.stackName, service.stackName], ['pillarbox-data', 'pillarbox-service']);
});

test('it goes where the stack or the stage around it goes, or where it is told to', () => {
  const env = { account: '123456789012', region: 'eu-central-1' };
  const app = () => new App({ context: flags, analyticsReporting: false });
  const around: Construct[] = [new Stack(app(), 'Mine', { env }), new Stage(app(), 'Prod', { env })];
  for (const scope of around) {
    const { data, service } = new Pillarbox(scope, 'Mail', needed);
    assert.deepEqual(
      [data, service].map(({ account, region }) => ({ account, region })),
      [env, env],
    );
  }
  const { data } = new Pillarbox(app(), 'Mail', { ...needed, env });
  assert.equal(data.region, env.region);
});

test('settings of the first configuration replace those that the options make, and the rest stays', () => {
  const domains = { 'pillarbox.example': { mailboxes: ['support'], catchAll: 'support' } };
  const { data } = inStack({ firstConfig: { domains } });
  const [[, { Properties }]] = resourcesOf(Template.fromStack(data), 'Custom::AWS') as any;
  const config = JSON.parse(JSON.parse(flat(Properties.Create)).parameters.Body);
  assert.deepEqual(config.domains, domains);
  assert.deepEqual([config.hostname, config.srsSecret], ['mx.pillarbox.example', 'secret:srs']);
});

test('what is wrong is told at synth, with its name: an option, or a setting of the first configuration', () => {
  const wrong: any = { tasks: 0 };
  assert.throws(() => inStack(wrong), /cdk options:\n {2}tasks: /);
  const config: any = { domains: { 'pillarbox.example': { mailboxs: [] } } };
  assert.throws(
    () => inStack({ firstConfig: config }),
    /firstConfig cannot be used:\n {2}domains\["pillarbox\.example"\]\.mailboxs: there is no such setting/,
  );
});

const domain = 'pillarbox.example';
const unfit: readonly { title: string; firstConfig: ConfigInput; props?: Partial<PillarboxProps>; says: RegExp }[] = [
  {
    title: 'a hostname that is not the option, and listeners: each is named',
    firstConfig: { hostname: 'mx.other.example', listeners: [{ role: 'mx', host: '0.0.0.0', port: 25 }] },
    says: /^firstConfig does not fit the deployment:\n {2}listeners: .*\n {2}hostname: mx\.other\.example here, but deployed with/,
  },
  {
    title: 'a key that no function can read',
    firstConfig: { domains: { [domain]: { dkim: [{ selector: 's1', privateKey: 'file:key.pem' }] } } },
    says: /domains\["pillarbox\.example"\]\.dkim, selector s1: no function can read file:/,
  },
  {
    title: 'an alias that leads outside while mail leaves by SES of whatever region',
    firstConfig: { domains: { [domain]: { aliases: { boss: ['boss@elsewhere.example'] } } } },
    says: /domains\["pillarbox\.example"\]\.aliases\.boss: .* mail leaves by SES/,
  },
  {
    title: 'the user of a relay that is not the option',
    props: { smarthost: 'relay.elsewhere.example', smarthostUser: 'ours' },
    firstConfig: {
      delivery: {
        mode: 'smarthost',
        smarthost: { host: 'relay.elsewhere.example', user: 'theirs', password: 'secret:smarthost-password' },
      },
    },
    says: /delivery\.smarthost\.user: theirs here, but deployed with smarthostUser ours/,
  },
  {
    title: 'a hash of another deployment',
    firstConfig: { users: [{ name: 'app', password: `stored:${'0'.repeat(64)}`, mayFrom: ['*@pillarbox.example'] }] },
    says: /users\[0\]\.password: stored:0+ is not in this deployment, so app could not log in/,
  },
];
for (const { title, firstConfig, props, says } of unfit) {
  test(`a first configuration that config push would refuse is refused at synth: ${title}`, () => {
    assert.throws(
      () => inStack({ ...props, firstConfig }),
      (thrown: Error) => says.test(thrown.message) || assert.fail(thrown.message),
    );
  });
}

test('a prop that is no option is refused, and synth warns of names that only examples have', () => {
  const mistyped: any = { alarmMail: 'ops@pillarbox.internal' };
  assert.throws(() => inStack(mistyped), /alarmMail: there is no such option\. Did you mean "alarmEmail"\?/);
  const warned = (props: Partial<PillarboxProps>) => {
    const { service } = inStack(props);
    return Annotations.fromStack(service)
      .findWarning('*', Match.anyValue())
      .flatMap(({ entry }) => /^(\w+: ".*" is a placeholder)/.exec(String(entry.data))?.[1] ?? []);
  };
  const expected = [
    'hostname: "mx.pillarbox.example" is a placeholder',
    'domains: "pillarbox.example" is a placeholder',
  ];
  assert.deepEqual(warned({}).sort(), expected.sort());
  assert.deepEqual(warned({ hostname: 'mx.pillarbox.internal', domains: ['pillarbox.internal'] }), []);
});

test('a password hash in the first configuration is warned of: it would stand in the template', () => {
  const users = [
    { name: 'app', password: openSesameHash, mayFrom: ['*@pillarbox.example'] },
    { name: 'shop', password: 'secret:user-shop', mayFrom: ['*@pillarbox.example'] },
  ];
  const { data } = inStack({ firstConfig: { users } });
  const warnings = Annotations.fromStack(data).findWarning('*', Match.stringLikeRegexp('password hash'));
  assert.deepEqual(
    warnings.map(
      ({ entry }) => /of (\w+) would .*pillarbox user add app --stack pillarbox/.exec(String(entry.data))?.[1],
    ),
    ['app'],
  );
});

test('two of them stand in one app under two names', () => {
  const app = new App({ context: flags, analyticsReporting: false });
  const names = ['one', 'two'].map((serviceName) => new Pillarbox(app, serviceName, { ...needed, serviceName }));
  assert.deepEqual(
    names.map(({ service }) => service.stackName),
    ['one-service', 'two-service'],
  );
  Template.fromStack(names[0]!.data).hasResourceProperties('AWS::SQS::Queue', {
    QueueName: Match.exact('one-received'),
  });
});

function inStack(more: Partial<PillarboxProps> = {}): Pillarbox {
  const app = new App({ context: flags, analyticsReporting: false });
  return new Pillarbox(new Stack(app, 'Mine'), 'Mail', { ...needed, ...more });
}
