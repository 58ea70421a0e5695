import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from '#cdk/options.ts';

const refused = [
  { given: { preserveClientIp: false }, because: /preserveClientIp: false hides every client/ },
  { given: { ipAddressType: 'dualstack' }, because: /dualstack hides IPv6 clients/ },
  { given: { proxyProtocol: 'true' }, because: /choose one/ },
  { given: { tasks: 4, maxTasks: 2 }, because: /maxTasks: 2 is less than tasks: 4/ },
  { given: { smarthost: 'email-smtp.eu-west-1.amazonaws.com' }, because: /smarthost: SES .* set smarthostUser/ },
  { given: { certificate: 'acm' }, because: /certificate: acm needs hostedZoneId/ },
  { given: { hostname: 'not a name' }, because: /hostname: a domain name \(given: "not a name"\)/ },
  { given: { domains: 'a.example, b_example' }, because: /domains\.1: a domain name/ },
  { given: { tasks: 'two' }, because: /tasks: .* \(given: "two"\)/ },
  { given: { alarmEmail: 'nobody' }, because: /alarmEmail/ },
  { given: { deliveryMode: 'pigeon' }, because: /deliveryMode/ },
  { given: { taskMemoryMiB: '4096' }, because: /taskMemoryMiB: Fargate goes with taskCpu 256 at 512, 1024, 2048 MiB/ },
  { given: { taskCpu: 4096, taskMemoryMiB: 4096 }, because: /taskMemoryMiB: Fargate goes with taskCpu 4096 at 8192, / },
  { given: { zones: 'us-east-1a' }, because: /zones: two zones/ },
  { given: { zones: 'us-east-1a us-east-1a' }, because: /zones: two different zones/ },
  { given: { zones: 'use1-az3, use1-az1' }, because: /zones\.0: the name of a zone/ },
  { given: { vpcId: 'my-network' }, because: /vpcId: the id of a VPC, as vpc-0a1b2c3d \(given: "my-network"\)/ },
  {
    given: { vpcId: 'vpc-0a1b2c3d' },
    because: /vpcId: needs zones with it\n {2}vpcId: needs publicSubnets with it$/,
  },
  { given: { publicSubnets: 'subnet-0a1b2c3d subnet-1a1b2c3d' }, because: /publicSubnets: says something of a VPC/ },
  { given: { privateSubnets: 'subnet-0a1b2c3d subnet-0a1b2c3d' }, because: /privateSubnets: two different subnets/ },
  {
    given: {
      vpcId: 'vpc-0a1b2c3d',
      zones: 'us-east-1a us-east-1b',
      publicSubnets: 'subnet-0a1b2c3d subnet-1a1b2c3d',
      deliveryMode: 'mx',
    },
    because: /vpcId: needs privateSubnets with it in mx mode\n {2}vpcId: needs outboundAddress with it in mx mode$/,
  },
  // With `-mail-`, the account and the longest region's name 63 characters: what a bucket's name may have.
  { given: { serviceName: `a${'b'.repeat(30)}` }, because: /serviceName: at most 30/ },
];

for (const { given, because } of refused) {
  test(`the options ${JSON.stringify(given)} are refused with their names`, () => {
    assert.throws(() => parseOptions(given), because);
  });
}

test('what the command line gives as text is understood', () => {
  const options = parseOptions({ domains: 'a.example b.example', tasks: '3', spot: 'true', noMailHours: '0' });
  assert.deepEqual(
    { domains: options.domains, tasks: options.tasks, spot: options.spot, noMailHours: options.noMailHours },
    { domains: ['a.example', 'b.example'], tasks: 3, spot: true, noMailHours: 0 },
  );
});

test('dual stack goes together with PROXY protocol, which carries the client’s address', () => {
  const options = parseOptions({ ipAddressType: 'dualstack', proxyProtocol: true, preserveClientIp: false });
  assert.equal(options.ipAddressType, 'dualstack');
});
