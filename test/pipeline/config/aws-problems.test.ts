// AWS's rules of a configuration: each setting that a deployment cannot do is named with what mends it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { awsProblems, forwardProblems } from '#pipeline/config/aws-problems.ts';
import { type ConfigInput, configSchema } from '#pipeline/config/config.ts';
import { commandOf } from '#pipeline/config/deployed-problems.ts';
import { sesRegion } from '#pipeline/config/ses-endpoint.ts';

const ses = { host: 'email-smtp.eu-west-1.amazonaws.com', user: 'AKIAEXAMPLE', password: 'secret:smarthost-password' };
const bySes = { mode: 'smarthost' as const, smarthost: ses };
const domain = (given: object): ConfigInput => ({ domains: { 'a.example': { mailboxes: ['ann'], ...given } } });
const signed = (privateKey: string): ConfigInput => domain({ dkim: [{ selector: 's1', privateKey }] });
const user = (password: string): ConfigInput => ({
  users: [{ name: 'app@a.example', password, mayFrom: ['*@a.example'] }],
});
const relay = (given: object): ConfigInput => ({ delivery: { mode: 'smarthost', smarthost: { ...ses, ...given } } });

const hook = (given: object): ConfigInput => ({
  hooks: [{ name: 'tickets', url: 'https://receiver.example/', secret: 'secret:webhook-tickets', ...given }],
});

const refused: readonly (readonly [string, ConfigInput, RegExp, RegExp])[] = [
  [
    'a DKIM key in a file',
    signed('file:dkim/a.pem'),
    /^domains\["a\.example"\]\.dkim, selector s1: no function can read file: on AWS/,
    /^pillarbox dkim new a\.example --stack mail$/,
  ],
  ['a DKIM key in a variable', signed('env:KEY'), /no function can read env: on AWS/, /^pillarbox dkim new/],
  [
    'a DKIM key in a secret of another name',
    signed('secret:key-of-a'),
    /may not read mail\/key-of-a, only mail\/dkim-\*/,
    /^pillarbox dkim new/,
  ],
  [
    'a password hash in a file',
    user('file:hash'),
    /^users, app@a\.example: no function can read file:/,
    /^pillarbox user password app@a\.example --stack mail$/,
  ],
  [
    'a certificate in files',
    { tls: { certificate: 'file:chain.pem', key: 'secret:tls-key' } },
    /^tls\.certificate: no function can read file:/,
    /put-secret-value --secret-id mail\/tls-certificate .*"secret:tls-certificate"/,
  ],
  [
    "the relay's password in a variable",
    relay({ password: 'env:SMTP' }),
    /^delivery\.smarthost\.password: no function can read env:/,
    /--secret-id mail\/smarthost-password/,
  ],
  ['a listener that takes mail for any address', { mode: 'capture' }, /^mode: .*from anybody$/, /^take it out/],
  [
    'the secret of a hook in a variable',
    hook({ secret: 'env:HOOK' }),
    /^hooks, tickets\.secret: no function can read env:/,
    /create-secret --name mail\/webhook-tickets .*"secret:webhook-tickets"/,
  ],
  [
    'a hook on this machine',
    hook({ url: 'http://localhost/' }),
    /^hooks, tickets: no receiver is on localhost/,
    /https/,
  ],
  ['a hook at a private address', hook({ url: 'https://10.0.0.1/' }), /no receiver is on 10\.0\.0\.1/, /https/],
  [
    'a hook that is a command',
    { hooks: [{ name: 'tickets', command: ['node', 'a.js'] }] },
    /^hooks, tickets: a command is run on one machine alone/,
    /give it a url; or .*MailRule/,
  ],
  [
    'a hook that is a module',
    { hooks: [{ name: 'tickets', module: 'ticket.js' }] },
    /^hooks, tickets: a module is called on one machine alone: on AWS the same file is a function/,
    /deploy the file as a Lambda function, and tell it by a MailRule/,
  ],
  ['a hook in a private network', hook({ allowPrivate: true }), /public addresses alone/, /take allowPrivate out/],
  ['the SRS secret in a file', { srsSecret: 'file:srs' }, /^srsSecret: no function/, /"secret:srs"/],
  [
    'the user of the relay that the first deploy made up',
    relay({ user: 'replace-with-the-smtp-user' }),
    /^delivery\.smarthost\.user: .*placeholder of the first deploy/,
    /SMTP password/,
  ],
  [
    'SES without a log-in',
    relay({ user: null, password: null }),
    /^delivery\.smarthost: SES takes mail only from who logs in/,
    /"password": "secret:smarthost-password"/,
  ],
];
for (const [title, given, says, mend] of refused) {
  test(`${title} cannot work on AWS, and the command that mends it is named`, () => {
    const problems = awsProblems(configSchema.parse(given), 'mail');
    assert.equal(problems.length, 1, JSON.stringify(problems));
    assert.match(`${problems[0]!.at}: ${problems[0]!.what}`, says);
    const { mend: written } = problems[0]!;
    assert.match([commandOf(problems[0]!, 'pillarbox'), written].filter((one) => one).join(', and '), mend);
  });
}

test('what the functions may read is no problem', () => {
  const config = configSchema.parse({
    ...signed('secret:dkim-a.example-s1'),
    ...user('secret:user-app'),
    tls: { certificate: 'secret:tls-certificate', key: 'secret:tls-key' },
    srsSecret: 'secret:srs',
    delivery: bySes,
  });
  assert.deepEqual(awsProblems(config, 'mail'), []);
});

for (const [title, given, count] of [
  ['to an address outside', { info: ['boss@else.example'] }, 1],
  ['to a mailbox and an address outside', { info: ['ann', 'boss@else.example'], other: ['x@else.example'] }, 2],
  ['to a mailbox of a domain of ours', { info: ['ann', 'ann@a.example'] }, 0],
] as const) {
  test(`an alias ${title} ${count > 0 ? 'cannot work' : 'works'} where mail leaves by SES, which refuses what strangers wrote`, () => {
    const config = configSchema.parse({ ...domain({ aliases: given }), delivery: bySes });
    const problems = forwardProblems(config);
    assert.equal(problems.length, count);
    if (count > 0)
      assert.match(problems[0]!.what, /^info@a\.example leads to boss@else\.example, and mail leaves by SES/);
  });
}

test('an alias may lead outside where mail leaves by another relay, or directly', () => {
  const aliases = domain({ aliases: { info: ['boss@else.example'] } });
  for (const delivery of [
    { mode: 'mx' as const },
    { mode: 'smarthost' as const, smarthost: { host: 'smtp.relay.example' } },
  ])
    assert.deepEqual(forwardProblems(configSchema.parse({ ...aliases, delivery })), []);
});

for (const [host, region] of [
  ['email-smtp.us-east-1.amazonaws.com', 'us-east-1'],
  ['EMAIL-SMTP.eu-central-1.amazonaws.com.', 'eu-central-1'],
  ['email-smtp-fips.us-west-2.amazonaws.com', 'us-west-2'],
  ['vpce-0a1b-2c3d.email-smtp.eu-west-1.vpce.amazonaws.com', 'eu-west-1'],
  ['email-smtp.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
  ['smtp.relay.example', null],
  ['email-smtp.us-east-1.amazonaws.com.evil.example', null],
] as const) {
  test(`${host} is ${region === null ? 'no host of SES' : `SES in ${region}`}`, () =>
    assert.equal(sesRegion(host), region));
}
