// Whose verdict a field claims to be (RFC 8601 §2.2, RFC 8617 §4.1.1, RFC 7208 §9.1): every program that trusts us must find the same
// host there, or none.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { claimsToJudge } from '#mail/header/authserv-id.ts';
import { peerOptions } from '#test/support/peers/peers.ts';

const [results, arc, spf] = ['Authentication-Results', 'ARC-Authentication-Results', 'Received-SPF'] as const;
const host = 'mx.bücher.example';
const ours = 'mx.xn--bcher-kva.example';

const claims: readonly string[] = [
  `${ours}; spf=pass`,
  `${ours.toUpperCase()}. 1; none`,
  `${ours}..; none`,
  `${ours}/1; none`,
  `${host}; none`,
  ' mx.b\u00fc\u00adcher.example; none',
  '\uff4dx\u3002bu\u0308cher.example; none',
  `\u200b${ours}; none`,
  `\u00a0\v${ours}\f; none`,
  `mx.\0xn--bcher-kva.example; none`,
  ` (a (nested) comment) "${ours}"; spf=pass`,
  `"${ours.replaceAll('.', '\\.')}"; none`,
  `"mx".${ours.slice(3)}; none`,
  `mx . xn--bcher-kva\t. example; none`,
  `mx.xn--bcher-kva(c).example; none`,
  `(a; b) (c \\) d) ${ours} 1; none`,
  `(never closed ${ours}; none`,
  `"never closed ${ours}; none`,
  `; ;${ours}; none`,
  `i=1; ${ours}; none`,
  `<${ours}>, dmarc=pass`,
  `=?utf-8?q?${ours}?=; none`,
  `=?utf-8?b?${Buffer.from(`${ours}; none`).toString('base64')}?=`,
  `(${'c'.repeat(50_000)}) ${ours}; none`,
  `${'x'.repeat(2_001)} ${ours}; none`,
];
const silent: readonly string[] = [
  `mx.sender.example; spf=pass (${ours})`,
  `mx.sender.example; spf=pass smtp.helo=${ours}`,
  `spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=${ours}; dkim=none`,
  `a.${ours}; none`,
  `${ours}.net; none`,
  `my${ours}; none`,
  '; none',
  '',
];
const receiver = (text: string): string => `pass (mx.sender.example: fine) ${text}`;
const fields: readonly [name: string, value: string, isOurs: boolean][] = [
  ...claims.map((value): [string, string, boolean] => [results, value, true]),
  ...silent.map((value): [string, string, boolean] => [results, value, false]),
  ...claims.map((value): [string, string, boolean] => [arc, `i=1; ${value}`, true]),
  ...silent.map((value): [string, string, boolean] => [arc, `i=1 ; ${value}`, false]),
  [arc, `(;) i = 1 (;) ; ${ours}; none`, true],
  [arc, `"i"=1; ${ours}; none`, true],
  [spf, `pass (${ours}: domain of a@b.example)`, true],
  [spf, `pass (${' '.repeat(200)}${ours}: domain of a@b.example)`, true],
  [spf, `pass ((a: b) ${host}: domain of a@b.example)`, true],
  [spf, `pass (=?utf-8?q?${ours}?=: domain of a@b.example)`, true],
  [spf, 'pass (mx\u3002xn--bcher-kva\u3002example: fine)', true],
  [spf, receiver(`receiver=${ours}`), true],
  [spf, receiver(`receiver (c)${' '.repeat(200)}= (d) "${ours}";`), true],
  [spf, receiver(`client-ip=192.0.2.1; helo=${ours}`), false],
  [spf, `none (mx.sender.example: ${ours} designates no hosts) receiver=mx.sender.example`, false],
  ['X-Authentication-Results', `${ours}; none`, false],
];
for (const [name, value, isOurs] of fields) {
  test(`${name}: ${JSON.stringify(value.slice(0, 80))} claims to be ${isOurs ? 'ours' : "somebody else's"}`, () =>
    assert.equal(claimsToJudge({ name, value }, host), isOurs));
}

test('the time that a field takes grows with its length, not with its square', () => {
  for (const part of ['(', ' ', ' .', 'é ', ';', '(a)', '((a)', 'receiver ', 'i', '"', '=']) {
    const value = part.repeat(200_000 / part.length);
    const startedAt = process.cpuUsage();
    claimsToJudge({ name: results, value }, host);
    claimsToJudge({ name: spf, value }, host);
    const { user } = process.cpuUsage(startedAt);
    assert.ok(user < 1_000_000, `${JSON.stringify(part)}: ${user} µs`);
  }
});

const authres = `import authres, json, sys, email, email.policy
def read(value):
    try: return authres.AuthenticationResultsHeader.parse('Authentication-Results: ' + value).authserv_id
    except Exception: return ''
def decoded(value):
    try: return read(email.message_from_string('Authentication-Results: ' + value, policy=email.policy.default)['Authentication-Results'])
    except Exception: return ''
print(json.dumps([[read(v), decoded(v)] for v in json.load(sys.stdin)]))`;
const perl = `use JSON::PP; use Mail::AuthenticationResults::Parser; binmode STDIN; local $/;
print encode_json([map { my $v = $_; [eval { Mail::AuthenticationResults::Parser->new()->parse("Authentication-Results: $v")->value->value } // ''] } @{decode_json(<STDIN>)}]);`;
const peers: readonly [title: string, needs: readonly string[], command: readonly string[]][] = [
  [
    'authres (Python)',
    ['/usr/bin/python3', '/usr/lib/python3/dist-packages/authres'],
    ['/usr/bin/python3', '-c', authres],
  ],
  [
    'Mail::AuthenticationResults (Perl)',
    ['perl', '/usr/share/perl5/Mail/AuthenticationResults.pm'],
    ['perl', '-e', perl],
  ],
];
for (const [title, needs, [command = '', ...args]] of peers) {
  test(`whatever ${title} takes for ours claims to be ours`, peerOptions(...needs), () => {
    const values = [...claims, ...silent].map((value) => value.replaceAll(/[\v\f\0]/g, ' ').slice(0, 3_000));
    const { stdout, stderr } = spawnSync(command, args, { input: JSON.stringify(values), encoding: 'utf8' });
    const read: string[][] = JSON.parse(stdout || '[]');
    assert.equal(read.length, values.length, stderr);
    const isOurs = (id: string): boolean => [ours, host].includes(id.toLowerCase().replace(/\/1$|\.+$/, ''));
    const asOurs = values.filter((_, n) => read[n]?.some(isOurs));
    assert.ok(asOurs.length >= 5, stdout);
    assert.deepEqual(
      asOurs.filter((value) => !claimsToJudge({ name: results, value }, host)),
      [],
    );
  });
}
