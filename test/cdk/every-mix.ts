// `npm run test:templates`, a part of `npm run check`: every option at each of its values, and those that go together, held against
// AWS's own description of its resources.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceFaults } from './resource-faults.ts';
import { synthesizeJudged } from './synthesize.ts';

const acm = { certificate: 'acm', hostedZoneId: 'Z0123456789', hostedZoneName: 'pillarbox.example' };
const proxied = { preserveClientIp: false, proxyProtocol: true };
const existingVpc = {
  vpcId: 'vpc-0a1b2c3d',
  zones: 'us-east-1a us-east-1b',
  publicSubnets: 'subnet-0a1b2c3d subnet-1a1b2c3d',
  privateSubnets: 'subnet-2a1b2c3d subnet-3a1b2c3d',
  outboundAddress: '192.0.2.53',
};
const mixes: readonly Readonly<Record<string, unknown>>[] = [
  {},
  { deliveryMode: 'mx' },
  { smarthost: 'smtp.relay.example', smarthostUser: 'app' },
  { tasks: 1, maxTasks: 1 },
  { tasks: 4, maxTasks: 20, taskCpu: 1024, taskMemoryMiB: 4_096, connectionsPerTask: 2_000 },
  { zones: 'us-east-1b,us-east-1d' },
  { spot: true, deployAtOnce: true },
  { smarthost: 'smtp.relay.example', smarthostUser: 'app', noMailHours: 0, serviceName: 'post-office' },
  existingVpc,
  { deliveryMode: 'mx', ...existingVpc },
  proxied,
  { ipAddressType: 'dualstack', ...proxied },
  acm,
  { eventBridge: true },
  { events: true, inboxTopic: true, eventBridge: true },
  { hooks: true },
  { versioning: true },
  { encryption: 'kms' },
  { rawDays: 1, inboxDays: 365, deliveriesDays: 90, logDays: 365 },
  { batchWindowSeconds: 0 },
  { batchWindowSeconds: 60 },
  { alarmEmail: 'ops@pillarbox.example', budgetDollars: 50 },
  { noMailHours: 0, budgetDollars: 0 },
  { serviceName: 'post-office', hostname: 'mx.post.example', domains: 'post.example, mail.example' },
  {
    deliveryMode: 'mx',
    encryption: 'kms',
    spot: true,
    versioning: true,
    ipAddressType: 'dualstack',
    ...proxied,
    ...acm,
  },
];

for (const mix of mixes) {
  test(`CloudFormation knows every resource and property of a deployment with ${JSON.stringify(mix)}`, async () => {
    const { data, service } = await synthesizeJudged(mix);
    assert.deepEqual([...resourceFaults(data.toJSON()), ...resourceFaults(service.toJSON())], []);
  });
}
