// What `check` finds comes with what mends it, by the way that mail really leaves: exact records, and commands for the configuration at hand.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkCertificate } from '#cli/checks/check-certificate.ts';
import { checkHost } from '#cli/checks/check-host.ts';
import { secretMend } from '#cli/checks/check-secrets.ts';
import type { Finding } from '#cli/checks/finding.ts';
import { waysOut } from '#cli/dns/way-out.ts';
import { type ConfigInput, configSchema } from '#pipeline/config/config.ts';
import { type Zone, zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';

const hostname = 'mx.a.example';
const outbound = '192.0.2.9';
const ses = { mode: 'smarthost' as const, smarthost: { host: 'email-smtp.eu-west-1.amazonaws.com' } };

type Given = {
  readonly zone?: Zone;
  readonly config?: ConfigInput;
  readonly machine?: readonly string[];
  /** Of a deployment: where its mail leaves from. */
  readonly deployed?: { readonly outbound: string | null };
};

function host({ zone = {}, config: more = {}, machine = [], deployed }: Given): Promise<readonly Finding[]> {
  const config = configSchema.parse({ hostname, domains: { 'a.example': {} }, ...more });
  const addresses = deployed === undefined ? null : { mx: ['192.0.2.25', '192.0.2.26'], ...deployed };
  return checkHost({
    config,
    resolve: zoneResolver(zone),
    ways: waysOut(config, addresses?.outbound ?? null),
    stack: deployed === undefined ? null : { region: 'eu-west-1' },
    addresses,
    machine,
  });
}

/** By `level name type value`, and the commands. */
const mends = (findings: readonly Finding[]) =>
  findings.flatMap(({ level, records, run }) => [
    ...records.map(({ name, type, value }) => `${level} ${name} ${type} ${value}`),
    ...run,
  ]);

for (const { title, given, wants } of [
  {
    title: 'one machine with a public address of its own: that one, and an SPF record for the name in EHLO',
    given: { machine: ['198.51.100.7'] },
    wants: ['missing mx.a.example A 198.51.100.7', 'advice mx.a.example TXT v=spf1 a:mx.a.example -all'],
  },
  {
    title: 'one machine behind a translated address: how to find it out',
    given: {},
    wants: [
      'missing mx.a.example A ADDRESS',
      'curl -4 https://checkip.amazonaws.com',
      'advice mx.a.example TXT v=spf1 a:mx.a.example -all',
    ],
  },
  {
    title:
      'a deployment that sends directly: the addresses of the balancer, and a name with PTR for the one that mail leaves from',
    given: { deployed: { outbound } },
    wants: [
      'missing mx.a.example A 192.0.2.25',
      'missing mx.a.example A 192.0.2.26',
      `missing out.mx.a.example A ${outbound}`,
      `aws ec2 modify-address-attribute --allocation-id $(aws ec2 describe-addresses --public-ips ${outbound} --query 'Addresses[0].AllocationId' --output text --region eu-west-1) --domain-name out.mx.a.example --region eu-west-1`,
      `advice mx.a.example TXT v=spf1 ip4:${outbound} -all`,
    ],
  },
  {
    title: 'a PTR that is there, whose name does not lead back: the record of that name alone',
    given: {
      deployed: { outbound },
      zone: {
        '9.2.0.192.in-addr.arpa': { PTR: ['mail.a.example'] },
        [hostname]: { A: ['192.0.2.25', '192.0.2.26'], TXT: [[`v=spf1 ip4:${outbound} -all`]] },
      },
    },
    wants: [`missing mail.a.example A ${outbound}`],
  },
  {
    title: 'a deployment that sends by SES: nothing of its own addresses counts for what it sends',
    given: { deployed: { outbound: null }, config: { delivery: ses } },
    wants: ['missing mx.a.example A 192.0.2.25', 'missing mx.a.example A 192.0.2.26'],
  },
] satisfies { title: string; given: Given; wants: string[] }[]) {
  test(`the name of the server, of ${title}`, async () => {
    assert.deepEqual(mends(await host(given)), wants);
  });
}

test('a certificate that is not there is made by one command, of a file and of a deployment', async () => {
  const secrets = { read: async () => assert.fail('nothing to read') };
  const at = (stack: { name: string } | null) =>
    checkCertificate({ config: configSchema.parse({ hostname }), secrets, nowMs: 0, stack });
  assert.deepEqual((await at(null)).run, ['certbot certonly --standalone --domain mx.a.example']);
  assert.match(
    (await at(null)).hint ?? '',
    /write "tls": \{ "certificate": "file:\/etc\/letsencrypt\/live\/mx\.a\.example/,
  );
  assert.deepEqual((await at({ name: 'mail' })).run, [
    'aws secretsmanager put-secret-value --secret-id mail/tls-key --secret-string file://key.pem',
    'aws secretsmanager put-secret-value --secret-id mail/tls-certificate --secret-string file://chain.pem',
  ]);
});

test('a secret that cannot be read: where it is to be put, of each kind', () => {
  const here = (reference: string) => secretMend(reference, { stack: null, folder: '/data/secrets' });
  assert.match(here('secret:relay').hint ?? '', /into \/data\/secrets\/relay,/);
  assert.match(here('file:keys/relay').hint ?? '', /into keys\/relay,/);
  assert.match(here('env:RELAY').hint ?? '', /variable RELAY/);
  const there = secretMend('secret:relay', { stack: 'mail', folder: '' });
  assert.deepEqual(there.run, [
    'aws secretsmanager put-secret-value --secret-id mail/relay --secret-string file://secret.txt',
  ]);
  assert.match(there.hint ?? '', /create-secret --name mail\/relay/);
});

test('commands lead to the configuration that was checked, can be run as they stand, and then nothing is left to say', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pillarbox-mends-'));
  try {
    const config = {
      hostname,
      domains: { 'a.example': {} },
      users: [
        { name: 'the shop', password: openSesameHash, mayFrom: ['shop@a.example'] },
        { name: 'old', password: 'stored:0', mayFrom: ['*@a.example'] },
      ],
      dns: { servers: ['127.0.0.1:1'], timeoutSeconds: 1 },
    };
    await writeFile(join(directory, 'my mail.json'), JSON.stringify(config), { mode: 0o644 });
    const check = async (): Promise<readonly Finding[]> =>
      JSON.parse((await runInProcess(['check', '--json', '--config', 'my mail.json'], { directory })).out).findings;
    const commands = (await check()).flatMap(({ run }) => run).filter((one) => one.startsWith('pillarbox '));
    assert.deepEqual(commands, [
      "pillarbox user password old --config 'my mail.json'",
      "pillarbox mailbox add shop@a.example --config 'my mail.json'",
      "pillarbox dkim new a.example --config 'my mail.json'",
    ]);
    for (const command of commands) {
      const args = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '');
      const ran = await runInProcess(args.slice(1), { directory, readInput: async () => Buffer.from('correct horse') });
      assert.equal(ran.code, 0, ran.err);
    }
    assert.deepEqual(
      (await check()).flatMap(({ run }) => run).filter((one) => one.startsWith('pillarbox ')),
      [],
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});
