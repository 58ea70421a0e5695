// `check`, `dkim new` and `user add` with `--stack NAME`: keys in Secrets Manager, the stored configuration changed by compare-and-set.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { Finding } from '#cli/checks/finding.ts';
import { makeSelfSigned } from '#container/tls/certificate.ts';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';
import { verifyPassword } from '#pipeline/config/password.ts';
import { storedReference } from '#pipeline/config/stored-hashes.ts';
import { configKey, deployedOptionsKey, passwordHashKey } from '#pipeline/contract/keys.ts';
import { listenerAccess, stages } from '#pipeline/contract/stages.ts';
import { type EmulatedDeployment, emulateDeployment } from '#test/support/aws/emulated-deployment.ts';
import { denied, inProduction, type OperatorsAws, operatorsAws, throttled } from '#test/support/aws/operators-aws.ts';
import { collect } from '#test/support/fakes/memory-store.ts';
import { type DnsZone, startDns } from '#test/support/peers/peer-dns.ts';
import { peerOptions } from '#test/support/peers/peers.ts';
import { mendText } from '#test/support/samples/finding-text.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';

const base: ConfigInput = {
  hostname: 'mx.a.example',
  domains: { 'a.example': { mailboxes: ['ann'] }, 'b.example': {} },
  dns: { servers: ['127.0.0.1:1'], timeoutSeconds: 1 },
};
let stack: EmulatedDeployment;
let aws: OperatorsAws;
before(async () => {
  stack = await emulateDeployment('mail-test', base);
  aws = await operatorsAws(stack.endpoint);
});
after(async () => {
  aws.close();
  await stack.close();
});
beforeEach(async () => {
  aws.reset();
  await storeConfig(base);
});

async function storeConfig(config: ConfigInput | string): Promise<void> {
  const body = Buffer.from(typeof config === 'string' ? config : JSON.stringify(config));
  await stack.store.put({ key: configKey, body, contentType: 'application/json' });
}

async function storedConfig() {
  const found = await stack.store.get(configKey);
  return parseConfig(Buffer.from(await collect(found!.body)).toString('utf8'), 'stored');
}

const where = () => ['--stack', 'mail-test', '--region', stack.region, '--endpoint', aws.endpoint];

function cli(args: readonly string[], input = '') {
  const clock = () => Date.parse('2026-11-21T03:00:00.000Z');
  return runInProcess([...args, ...where()], { clock, readInput: async () => Buffer.from(input) });
}

test('dkim new keeps both keys where function deliver may read them, and prints the records of just those keys', async () => {
  const ran = await cli(['dkim', 'new', 'a.example', '--json']);
  assert.equal(ran.code, 0, ran.err);
  const { keys, records, config } = JSON.parse(ran.out);
  assert.equal(config, `s3://${stack.bucket}/config/pillarbox.json`);
  const { dkim } = (await storedConfig()).domains['a.example' as never]!;
  assert.deepEqual(
    dkim.map(({ selector, privateKey }) => [selector, privateKey]),
    [
      ['pb202611-rsa', 'secret:dkim-a.example-pb202611-rsa'],
      ['pb202611-ed25519', 'secret:dkim-a.example-pb202611-ed25519'],
    ],
  );
  assert.deepEqual(
    [...aws.secrets.keys()],
    ['mail-test/dkim-a.example-pb202611-rsa', 'mail-test/dkim-a.example-pb202611-ed25519'],
  );
  assert.ok(stages.deliver.secrets.includes('dkim-*') && !listenerAccess.secrets.includes('dkim-*'));
  assert.deepEqual(
    keys.map(({ path }: { path: string }) => path),
    [...aws.secrets.keys()],
  );
  for (const [n, { value }] of [...aws.secrets.values()].entries()) {
    assert.equal(createPrivateKey(value).asymmetricKeyType, ['rsa', 'ed25519'][n]);
    assert.match(records[n].value, new RegExp(`^v=DKIM1; k=${['rsa', 'ed25519'][n]}; p=[A-Za-z0-9+/]+=*$`));
  }
  assert.equal(records[1].name, 'pb202611-ed25519._domainkey.a.example');
  assert.doesNotMatch(ran.out + ran.err, /PRIVATE/);
});

test('for people: what was written, what to publish, and what to do next', async () => {
  const ran = await cli(['dkim', 'new', 'b.example', '--selector', 's1']);
  assert.equal(ran.code, 0, ran.err);
  assert.match(
    ran.out,
    /^Wrote the secrets mail-test\/dkim-b\.example-s1-rsa and mail-test\/dkim-b\.example-s1-ed25519, and s3:.*\nPublish:\n\n[\s\S]*^s1-ed25519\._domainkey\.b\.example\. TXT "v=DKIM1;[\s\S]*\n\nIn force within half a minute\. Then: pillarbox check --stack mail-test --region \S+\n$/m,
  );
});

test('two edits at once: neither is lost, for the one that comes second is made of the first one', async () => {
  aws.hooks.beforeConfigWrite = () => storeConfig({ ...base, limits: { recipients: 7 } });
  const ran = await cli(['dkim', 'new', 'a.example']);
  assert.equal(ran.code, 0, ran.err);
  const config = await storedConfig();
  assert.equal(config.limits.recipients, 7);
  assert.equal(config.domains['a.example' as never]!.dkim.length, 2);
});

test('a key that no function can read is taken out for the new ones: without that, mail of the domain would go on waiting', async () => {
  const dkim = [
    { selector: 'old', privateKey: 'file:dkim/old.pem' },
    { selector: 'good', privateKey: 'secret:dkim-good' },
  ];
  await storeConfig({ ...base, domains: { 'a.example': { dkim } } });
  const ran = await cli(['dkim', 'new', 'a.example', '--selector', 's2']);
  assert.match(ran.out, /took old out: no function could read its key/);
  const now = (await storedConfig()).domains['a.example' as never]!.dkim.map(({ selector }) => selector);
  assert.deepEqual(now, ['good', 's2-rsa', 's2-ed25519']);
});

test('if the configuration could not be written, the same command uses the keys that are there', async () => {
  aws.hooks.beforeConfigWrite = () => storeConfig('{ "domains": ');
  const failed = await cli(['dkim', 'new', 'a.example']);
  assert.equal(failed.code, 1);
  assert.match(failed.err, /cannot be used/);
  const made = [...aws.secrets.values()].map(({ value }) => value);
  await storeConfig(base);
  const again = await cli(['dkim', 'new', 'a.example']);
  assert.equal(again.code, 0, again.err);
  assert.deepEqual(
    [...aws.secrets.values()].map(({ value }) => value),
    made,
  );
  assert.equal((await storedConfig()).domains['a.example' as never]!.dkim.length, 2);
});

test('a secret of that name that is no such key stays as it is, and another selector is asked for', async () => {
  const other = { value: 'a password', description: '', token: '' };
  aws.secrets.set('mail-test/dkim-a.example-pb202611-rsa', other);
  const ran = await cli(['dkim', 'new', 'a.example', '--json']);
  assert.equal(JSON.parse(ran.err).error.code, 'exists');
  assert.match(ran.err, /dkim-a\.example-pb202611-rsa is there already and no such key: name another with --selector/);
  assert.equal(aws.secrets.get('mail-test/dkim-a.example-pb202611-rsa'), other);
  assert.deepEqual((await storedConfig()).domains['a.example' as never]!.dkim, []);
});

test('a selector that is none is refused before a key is made', async () => {
  const ran = await cli(['dkim', 'new', 'a.example', '--selector', 'a/b']);
  assert.equal(ran.code, 2);
  assert.match(ran.err, /--selector a\/b: expected letters, digits, dots and hyphens/);
  assert.deepEqual(aws.calls, []);
});

for (const [title, refusal, code, says] of [
  [
    'a policy that lacks the action',
    denied('secretsmanager:CreateSecret'),
    'denied',
    /not authorized to perform: secretsmanager:CreateSecret/,
  ],
  [
    'throttling that does not end',
    throttled(99),
    'throttled',
    /patience \(ThrottlingException\): try again in a minute/,
  ],
  [
    'a secret of that name that waits to be deleted',
    {
      name: 'InvalidRequestException',
      status: 400,
      message: "You can't create this secret because a secret with this name is already scheduled for deletion.",
    },
    'aws-failed',
    /already scheduled for deletion/,
  ],
] as const) {
  test(`${title}: said in a sentence, and the configuration stays as it was`, async () => {
    aws.refusals.set('CreateSecret', { ...refusal });
    const ran = await cli(['dkim', 'new', 'a.example', '--json']);
    assert.equal(ran.code, 1);
    assert.equal(JSON.parse(ran.err).error.code, code);
    assert.match(ran.err, says);
    assert.deepEqual((await storedConfig()).domains['a.example' as never]!.dkim, []);
  });
}

test('throttling that passes is waited for', async () => {
  aws.refusals.set('CreateSecret', throttled(1));
  assert.equal((await cli(['dkim', 'new', 'a.example'])).code, 0);
  assert.deepEqual(aws.calls, ['CreateSecret', 'CreateSecret', 'CreateSecret']);
});

test('user add writes a hash alone, into the stored configuration; its bounces get a mailbox', async () => {
  const ran = await cli(['user', 'add', 'app@a.example', '--may-from', '*@a.example'], 'correct horse\n');
  assert.equal(ran.code, 0, ran.err);
  assert.match(ran.out, /written to s3:.*\n[\s\S]*half a minute\. Next: log in at port 587/);
  const config = await storedConfig();
  const [, id = ''] = /^stored:([0-9a-f]{64})$/.exec(config.users[0]!.password) ?? [];
  const hash = await collect((await stack.store.get(passwordHashKey(id)))!.body);
  assert.ok(await verifyPassword('correct horse', hash.toString()));
  assert.deepEqual(config.domains['a.example' as never]!.mailboxes, ['ann', 'app']);
  assert.doesNotMatch(ran.out + ran.err, /correct horse/);
  const again = await cli(['user', 'add', 'app@a.example', '--json'], 'another one\n');
  assert.deepEqual([again.code, JSON.parse(again.err).error.code], [1, 'exists']);
});

test('check names whose password hashes every function can read, and what it says moves them', async () => {
  await storeConfig({ ...base, users: [{ name: 'app', password: openSesameHash, mayFrom: ['*@a.example'] }] });
  const inline =
    /password hashes of app are in the configuration itself.*\n.*run:\n +pillarbox config get --stack mail-test .*\| pillarbox config push - --stack mail-test/;
  assert.match((await cli(['check'])).out, inline);
  const file = join(await mkdtemp(join(tmpdir(), 'pillarbox-moved-')), 'pillarbox.json');
  await writeFile(file, (await cli(['config', 'get'])).out);
  const pushed = await cli(['config', 'push', file]);
  assert.equal(pushed.code, 0, pushed.err);
  const { password } = (await storedConfig()).users[0]!;
  assert.equal(password, storedReference(openSesameHash));
  const moved = `Moved these password hashes to where the listener alone reads them:\n  app: "password" is ${password} there\n`;
  assert.ok(pushed.out.endsWith(moved), pushed.out);
  const { out } = await cli(['check']);
  assert.doesNotMatch(out, /password hashes|cannot log in/);
});

test('what the new configuration cannot do on AWS is said, whoever wrote it', async () => {
  await storeConfig({ ...base, srsSecret: 'env:SRS' });
  const ran = await cli(['dkim', 'new', 'a.example']);
  assert.match(ran.out, /1 settings of it cannot work on AWS: "pillarbox check --stack mail-test" shows them/);
});

for (const [title, args, says] of [
  ['--config', ['check', '--config', 'x.json'], /--stack and --config exclude one another/],
  ['--data', ['check', '--data', 'x'], /--stack and --data exclude one another/],
] as const) {
  test(`${title} belongs to a file: with --stack the command line is wrong`, async () => {
    const ran = await cli(args);
    assert.equal(ran.code, 2);
    assert.match(ran.err, says);
  });
}

test('user add names the domains that the deployment does not have', async () => {
  const ran = await cli(['user', 'add', 'app@else.example'], 'correct horse\n');
  assert.equal(ran.code, 0, ran.err);
  assert.match(
    ran.out,
    /^else\.example is not among the domains of s3:\/\/\S+\/config\/pillarbox\.json: mail from it/m,
  );
});

test('check tells of a hostname that is still a placeholder, whatever ports the file opens', async () => {
  for (const listeners of [[], [{ role: 'mx' as const, host: '127.0.0.1', port: 2525 }]]) {
    await storeConfig({ ...base, hostname: 'mx.example.org', ...(listeners.length === 0 ? {} : { listeners }) });
    const ran = await cli(['check']);
    assert.equal(ran.code, 3);
    assert.match(
      ran.out,
      /^MISSING {2}hostname: mx\.example\.org is a placeholder: nobody can have this name in the DNS$/m,
    );
  }
  await storeConfig({ ...base, hostname: 'mx.pillarbox-mail.org' });
  assert.doesNotMatch((await cli(['check'])).out, /placeholder/);
});

test('check names references that no function can read, with the command that mends them', async () => {
  const dkim = [{ selector: 's1', privateKey: 'file:dkim/s1.pem' }];
  await storeConfig({ ...base, domains: { 'a.example': { mailboxes: ['ann'], dkim } } });
  const ran = await cli(['check', '--json']);
  assert.equal(ran.code, 3);
  const { findings } = JSON.parse(ran.out);
  const about = findings.filter(({ what }: { what: string }) => what.includes('s1'));
  assert.deepEqual(about, [
    {
      level: 'missing',
      what: 'domains["a.example"].dkim, selector s1: no function can read file: on AWS, where secrets are in Secrets Manager',
      records: [],
      run: [`pillarbox dkim new a.example --stack mail-test --region ${stack.region}`],
      hint: null,
    },
  ]);
  assert.ok(
    findings.every(({ what }: { what: string }) => !what.includes('127.0.0.1:2525')),
    'listeners are not of the file',
  );
});

test('check names each secret that is not there or is none: what is signed, sent or told with it would wait', async () => {
  const smarthost = { host: 'smtp.relay.example', user: 'app', password: 'secret:smarthost-password' };
  const hooks = ['a', 'b'].map((name) => ({ name, url: 'https://h.example/', secret: `secret:webhook-${name}` }));
  aws.secrets.set('mail-test/webhook-b', { value: 'no base64!', description: '', token: '' });
  await storeConfig({ ...base, delivery: { mode: 'smarthost', smarthost }, hooks, srsSecret: 'secret:srs' });
  const ran = await cli(['check', '--json']);
  const about = JSON.parse(ran.out).findings.filter(({ what }: { what: string }) => / cannot be used: /.test(what));
  assert.deepEqual(
    about.map(({ level, what }: { level: string; what: string }) => [level, what.replace(/ cannot be used: .*/, '')]),
    ['delivery.smarthost.password', 'hooks, a.secret', 'hooks, b.secret', 'srsSecret'].map((at) => ['missing', at]),
  );
  assert.doesNotMatch(ran.out, /no base64!/);
  for (const name of ['smarthost-password', 'webhook-a', 'webhook-b', 'srs'])
    aws.secrets.set(`mail-test/${name}`, { value: 'whsec_QUJD', description: '', token: '' });
  assert.doesNotMatch((await cli(['check'])).out, /cannot be used/);
});

test('check says what it may not look at, and goes on', async () => {
  aws.refusals.set('GetSecretValue', denied('secretsmanager:GetSecretValue'));
  const tls = { certificate: 'secret:tls-certificate', key: 'secret:tls-key' };
  await storeConfig({ ...base, tls });
  const { findings } = JSON.parse((await cli(['check', '--json'])).out);
  const about = findings.find(({ what }: { what: string }) => what.startsWith('the certificate'));
  assert.equal(about.level, 'advice');
  assert.match(
    about.what,
    /Not known: these AWS credentials may not read it .*not authorized to perform: secretsmanager:GetSecretValue/,
  );
});

test(
  'once all that check names is done and published, it finds nothing missing: SES, its records, SPF by the real way out, DKIM, the certificate',
  peerOptions('dnsmasq'),
  async (t) => {
    const relay = 'email-smtp.eu-west-1.amazonaws.com';
    const smarthost = { host: relay, user: 'AKIAEXAMPLE', password: 'secret:smarthost-password' };
    const tls = { certificate: 'secret:tls-certificate', key: 'secret:tls-key' };
    const password = openSesameHash;
    const config: ConfigInput = {
      hostname: 'mx.a.example',
      tls,
      domains: { 'a.example': { mailboxes: ['app'] } },
      users: [{ name: 'app@a.example', password, mayFrom: ['*@a.example'] }],
      delivery: { mode: 'smarthost', smarthost },
    };
    const at = async (zone: DnsZone, args: readonly string[]) => {
      const dns = await startDns(zone);
      t.after(() => dns.close());
      const stored = await storedConfig().catch(() => null);
      const domains = stored?.users.length === 1 ? stored.domains : config.domains;
      await storeConfig({ ...config, domains, dns: { servers: [dns.server], timeoutSeconds: 2 } } as ConfigInput);
      const ran = await cli([...args, '--json']);
      return { code: ran.code, ...JSON.parse(ran.out) };
    };
    const options = {
      serviceName: 'mail-test',
      hostname: 'mx.a.example',
      domains: ['a.example'],
      deliveryMode: 'smarthost',
      smarthost: null,
      smarthostUser: null,
      taskMemoryMiB: 512,
      rawDays: 30,
      inboxDays: 30,
      deliveriesDays: 90,
      addresses: { mx: ['192.0.2.25', '192.0.2.26'], outbound: null },
    };
    const body = Buffer.from(JSON.stringify(options));
    await stack.store.put({ key: deployedOptionsKey, body, contentType: 'application/json' });
    t.after(() => stack.store.delete(deployedOptionsKey));
    await storeConfig(config);
    assert.equal((await at({}, ['dkim', 'new', 'a.example'])).code, 0);
    const { certificate, key } = await makeSelfSigned('mx.a.example', Date.parse('2026-11-21T03:00:00.000Z'));
    aws.secrets.set('mail-test/tls-certificate', { value: certificate, description: '', token: '' });
    aws.secrets.set('mail-test/tls-key', { value: key, description: '', token: '' });
    const before = await at({}, ['check']);
    const missing = before.findings.filter(({ level }: { level: string }) => level === 'missing');
    for (const word of [
      /no address/,
      /sandbox/,
      /SES in eu-west-1 does not know/,
      /MX is not there/,
      /pb202611-rsa is not published/,
      /DMARC: no record/,
      /smarthost\.password cannot be used/,
    ]) {
      assert.ok(
        missing.some(({ what }: { what: string }) => word.test(what)),
        String(word),
      );
    }
    assert.equal(before.code, 3);
    aws.secrets.set('mail-test/smarthost-password', { value: 'of SES', description: '', token: '' });
    aws.ses.account = inProduction;
    const mailFrom = { MailFromDomain: 'bounce.a.example', MailFromDomainStatus: 'SUCCESS' };
    const dkim = { Status: 'SUCCESS', Tokens: ['t1'] };
    aws.identities.set('a.example', {
      VerifiedForSendingStatus: true,
      VerificationStatus: 'SUCCESS',
      DkimAttributes: dkim,
      MailFromAttributes: mailFrom,
    });
    const zone = publishedZone(before.findings);
    assert.match(String(zone.txt?.['a.example']), /^v=spf1 include:amazonses\.com -all$/);
    const after = await at({ ...zone, a: { 'mx.a.example': '192.0.2.25' } }, ['check']);
    // Its DNS is on this machine and its hostname is a placeholder, which check refuses on AWS.
    const left = after.findings.filter(
      ({ level, what }: { level: string; what: string }) =>
        level === 'missing' && !/^(?:dns\.servers|hostname: .* is a placeholder)/.test(what),
    );
    assert.deepEqual(
      left.map((one: Finding) => mendText(one).split('\n').at(-1)),
      ['mx.a.example. A 192.0.2.26'],
      'a record for the other address of the load balancer is still missing',
    );
  },
);

/** The zone that findings ask for. */
function publishedZone(findings: readonly Finding[]): DnsZone {
  const of = (wanted: string) => findings.flatMap(({ records }) => records).filter(({ type }) => type === wanted);
  return {
    mx: Object.fromEntries(of('MX').map(({ name, value }) => [name, [value.replace(/\.$/, '')]])),
    txt: Object.fromEntries(of('TXT').map(({ name, value }) => [name, value])),
  };
}
