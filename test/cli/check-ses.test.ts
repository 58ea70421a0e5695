// What `check` says of SES as the way out: the account (sandbox, paused, under review) and each domain that mail is sent from.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { checkSes } from '#cli/checks/check-ses.ts';
import { createSesReader } from '#pipeline/aws/operator/ses.ts';
import { type ConfigInput, configSchema } from '#pipeline/config/config.ts';
import { denied, inProduction, inSandbox, type OperatorsAws, operatorsAws } from '#test/support/aws/operators-aws.ts';
import { mendText } from '#test/support/samples/finding-text.ts';

let aws: OperatorsAws;
before(async () => {
  aws = await operatorsAws('http://127.0.0.1:1');
});
after(() => aws.close());
beforeEach(() => {
  aws.reset();
  aws.ses.account = inProduction;
});

const password = 'scrypt:x';
const config: ConfigInput = {
  hostname: 'mx.a.example',
  domains: { 'a.example': { mailboxes: ['ann'] } },
  users: [{ name: 'app', password, mayFrom: ['*@a.example', 'ann@a.example'] }],
};
const verified = {
  VerifiedForSendingStatus: true,
  VerificationStatus: 'SUCCESS',
  DkimAttributes: { Status: 'SUCCESS', Tokens: ['t1', 't2', 't3'] },
  MailFromAttributes: { MailFromDomain: 'bounce.a.example', MailFromDomainStatus: 'SUCCESS' },
};

function check(given: ConfigInput = config) {
  const ses = createSesReader({ region: 'eu-west-1', endpoint: aws.endpoint });
  return checkSes(configSchema.parse(given), { region: 'eu-west-1', ses });
}

test('an account in production with a verified domain: two lines, and what was asked is signed for SES in its region', async () => {
  aws.identities.set('a.example', verified);
  const findings = await check();
  assert.deepEqual(
    findings.map(({ level, what }) => [level, what]),
    [
      ['ok', 'SES in eu-west-1 sends for this account: 50000 a day, 14 a second'],
      ['ok', 'a.example: SES in eu-west-1 has verified a.example, and signs for it'],
    ],
  );
  assert.ok(
    aws.signedFor.every((scope) => scope === 'eu-west-1/ses'),
    aws.signedFor.join(),
  );
});

for (const { title, account, level, says, publish } of [
  {
    title: 'in the sandbox',
    account: inSandbox,
    level: 'missing',
    says: /in the sandbox: mail to addresses that are not verified there waits, and 200 a day may be sent\.$/,
    publish:
      /^aws sesv2 put-account-details --production-access-enabled .*--website-url https:\/\/a\.example .*--region eu-west-1$/,
  },
  {
    title: 'in the sandbox, production access asked for',
    account: { ...inSandbox, Details: { ReviewDetails: { Status: 'PENDING', CaseId: '1' } } },
    level: 'missing',
    says: /has been asked for; AWS has not answered yet\.$/,
    publish: /put-account-details/,
  },
  {
    title: 'whose sending is paused',
    account: { ...inProduction, SendingEnabled: false },
    level: 'missing',
    says: /sends nothing for this account, its sending is paused: all mail that goes out waits$/,
    publish: /put-account-sending-attributes --sending-enabled --region eu-west-1/,
  },
  {
    title: 'shut down by AWS',
    account: { ...inProduction, EnforcementStatus: 'SHUTDOWN' },
    level: 'missing',
    says: /its sending is paused/,
    publish: /its mail to the account's owner says why/,
  },
  {
    title: 'under review',
    account: { ...inProduction, EnforcementStatus: 'PROBATION' },
    level: 'advice',
    says: /AWS has put it under review/,
    publish: /^$/,
  },
]) {
  test(`an account ${title} is explained, with what to do`, async () => {
    aws.ses.account = account;
    aws.identities.set('a.example', verified);
    const [found] = await check();
    assert.equal(found!.level, level);
    assert.match(found!.what, says);
    assert.match(mendText(found!), publish);
  });
}

for (const { title, identity, level, says, publish } of [
  {
    title: 'that SES does not know',
    identity: null,
    level: 'missing',
    says: /^a\.example: SES in eu-west-1 does not know the domain: SES refuses what is sent from it, and that waits$/,
    publish: /^aws sesv2 create-email-identity --email-identity a\.example --region eu-west-1\n/,
  },
  {
    title: 'whose verification is pending',
    identity: { ...verified, VerifiedForSendingStatus: false, VerificationStatus: 'PENDING' },
    level: 'missing',
    says: /has not verified a\.example \(PENDING\)/,
    publish: /^t2\._domainkey\.a\.example\. CNAME t2\.dkim\.amazonses\.com\.$/m,
  },
  {
    title: 'that SES does not sign for',
    identity: { ...verified, DkimAttributes: { Status: 'FAILED', Tokens: ['t1'] } },
    level: 'advice',
    says: /does not sign for it \(DKIM FAILED\)$/,
    publish: /^t1\._domainkey/m,
  },
]) {
  test(`a domain ${title} is named, with what to publish`, async () => {
    if (identity !== null) aws.identities.set('a.example', identity);
    const found = (await check())[1];
    assert.equal(found!.level, level);
    assert.match(found!.what, says);
    assert.match(mendText(found!), publish);
  });
}

test('a domain that nobody sends from keeps no mail: it is advice', async () => {
  const found = (await check({ ...config, users: [] }))[1];
  assert.equal(found!.level, 'advice');
});

test('a verified domain holds for the names below it', async () => {
  aws.identities.set('a.example', verified);
  const users = [{ name: 'app', password, mayFrom: ['shop@news.a.example'] }];
  const findings = await check({ ...config, users });
  assert.deepEqual(
    findings.slice(1).map(({ level, what }) => [level, what.split(',')[0]]),
    [['ok', 'news.a.example: SES in eu-west-1 has verified a.example']],
  );
});

test('without a return path of the domain DMARC holds by DKIM alone; one that is not proven yet has its records shown', async () => {
  aws.identities.set('a.example', { ...verified, MailFromAttributes: {} });
  const without = (await check())[2]!;
  assert.match(without.what, /DMARC holds by DKIM alone$/);
  assert.match(mendText(without!), /^aws sesv2 put-email-identity-mail-from-attributes .*bounce\.a\.example/);
  const pending = { MailFromDomain: 'bounce.a.example', MailFromDomainStatus: 'PENDING' };
  aws.identities.set('a.example', { ...verified, MailFromAttributes: pending });
  const unproven = (await check())[2]!;
  assert.match(mendText(unproven!), /^bounce\.a\.example\. MX 10 feedback-smtp\.eu-west-1\.amazonses\.com\.$/m);
  assert.match(mendText(unproven!), /^bounce\.a\.example\. TXT "v=spf1 include:amazonses\.com -all"$/m);
});

for (const [title, operation, refusal, says] of [
  ['the account', 'GetAccount', denied('ses:GetAccount'), /may not ask it \(ses:GetAccount, ses:GetEmailIdentity\)$/],
  ['a domain', 'GetEmailIdentity', denied('ses:GetEmailIdentity'), /may not ask it/],
  [
    'too often',
    'GetAccount',
    { name: 'TooManyRequestsException', status: 429, message: 'Too many requests' },
    /Too many requests$/,
  ],
] as const) {
  test(`where AWS does not let ${title} be asked it is said, and nothing crashes`, async () => {
    aws.refusals.set(operation, { ...refusal });
    const findings = await check();
    assert.deepEqual(
      findings.map(({ level }) => level),
      ['advice'],
    );
    assert.match(findings[0]!.what, says);
  });
}
