import assert from 'node:assert/strict';
import { test } from 'node:test';
import { receivedGroup } from '#pipeline/contract/job-groups.ts';
import { sampleReceivedJob } from '#test/support/samples/sample-jobs.ts';

const groups: readonly {
  readonly title: string;
  readonly clientIp?: string | null;
  readonly user?: string;
  readonly helo?: string | null;
  readonly reversePath?: string;
  readonly group: string;
}[] = [
  { title: 'an IPv4 client is its /24', clientIp: '192.0.2.77', group: '192.0.2.0/24 sender.example' },
  { title: 'an IPv4 client in IPv6 clothes, too', clientIp: '::ffff:192.0.2.7', group: '192.0.2.0/24 sender.example' },
  { title: 'an IPv6 client is its /64', clientIp: '2001:DB8:1:2:3::4', group: '2001:db8:1:2::/64 sender.example' },
  { title: 'an IPv6 client with zeros in its /64', clientIp: '2001:db8::1', group: '2001:db8:0:0::/64 sender.example' },
  { title: 'a link-local client', clientIp: 'fe80::1%eth0', group: 'fe80:0:0:0::/64 sender.example' },
  { title: 'subdomains are of one zone', reversePath: 'a@x.y.sender.example', group: '192.0.2.0/24 sender.example' },
  { title: 'a quoted @ is not the domain', reversePath: '"a@b"@Sender.Example', group: '192.0.2.0/24 sender.example' },
  {
    title: 'a bounce goes by the HELO name',
    reversePath: '',
    helo: 'mx.bounce.test',
    group: '192.0.2.0/24 bounce.test',
  },
  { title: 'a bounce without a HELO name goes by its network', reversePath: '', helo: null, group: '192.0.2.0/24' },
  { title: 'submitted mail goes by its user', user: 'an app@ours.example', group: 'user:an_app@ours.example' },
  { title: "the service's own mail is a group", clientIp: null, group: 'internal' },
];

for (const { title, clientIp = '192.0.2.77', user = null, helo = 'h.test', reversePath, group } of groups) {
  test(`${title}: ${group}`, () => {
    const { session } = sampleReceivedJob().envelope;
    const from = reversePath ?? 'ann@sender.example';
    assert.equal(
      receivedGroup(sampleReceivedJob({ session: { ...session, clientIp, user, helo }, reversePath: from })),
      group,
    );
  });
}

test('what is below co.uk and the like is a zone by its third label', () => {
  const zoneOf = (domain: string): string =>
    receivedGroup(sampleReceivedJob({ reversePath: `a@${domain}` })).split(' ')[1] ?? '';
  assert.deepEqual(['a.firm.co.uk', 'firm.com.au', 'x.firm.de', 'co.uk', 'test', ''].map(zoneOf), [
    'firm.co.uk',
    'firm.com.au',
    'firm.de',
    'co.uk',
    'test',
    '',
  ]);
});
