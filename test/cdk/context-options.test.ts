import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { contextOptions } from '#cdk/context-options.ts';

const flags = JSON.parse(readFileSync('cdk.json', 'utf8')).context;
const own = { hostname: 'mx.pillarbox.internal', domains: 'pillarbox.internal' };

const refused: readonly { context: Record<string, unknown>; because: RegExp }[] = [
  { context: {}, because: /hostname: is not set: .*\n {2}domains: is not set: .*-c trial=true/ },
  { context: { ...own, hostname: 'mx.example.org' }, because: /hostname: "mx\.example\.org" is a placeholder/ },
  { context: { ...own, domains: ['pillarbox.internal', 'a.test'] }, because: /domains: "a\.test" is a placeholder/ },
  { context: { ...own, alarmEmail: 'ops@example.com' }, because: /alarmEmail: "ops@example\.com" is a placeholder/ },
  {
    context: { ...own, smarthost: 'smtp.relay.example' },
    because: /smarthost: "smtp\.relay\.example" is a placeholder/,
  },
  { context: { ...own, smarthostUser: 'REPLACE-ME' }, because: /smarthostUser: "REPLACE-ME" is a placeholder/ },
  { context: { ...own, hostedZoneId: '<zone>' }, because: /hostedZoneId: "<zone>" is a placeholder/ },
  { context: { ...own, smarthostUser: 'your-user' }, because: /smarthostUser: "your-user" is a placeholder/ },
  { context: { trial: true, hostname: 'mx.example.org' }, because: /hostname: "mx\.example\.org" is a placeholder/ },
  {
    context: { ...own, alarmMail: 'ops@pillarbox.internal' },
    because: /alarmMail: .* no such option\. Did you mean "alarmEmail"\?/,
  },
  { context: { ...own, Tasks: 4 }, because: /Tasks: there is no such option\. Did you mean "tasks"\?/ },
  { context: { ...own, colour: 'red' }, because: /colour: there is no such option\.$/m },
  { context: { ...own, hostname: 'mx.example.org', taks: 3 }, because: /taks: .*"tasks"\?\n {2}hostname: / },
];

for (const { context, because } of refused) {
  test(`the context ${JSON.stringify(context)} is refused with its keys`, () => {
    assert.throws(() => contextOptions({ ...flags, ...context }, 'refused'), because);
  });
}

test('flags and settings of the CDK, and what it has looked up, are no options', () => {
  const lookedUp = { 'availability-zones:account=000000000000:region=us-east-1': ['us-east-1a'] };
  const settings = { 'acknowledged-issue-numbers': [1], 'cli-telemetry': false };
  const options = contextOptions({ ...flags, ...lookedUp, ...settings, ...own }, 'refused');
  assert.equal(options.hostname, 'mx.pillarbox.internal');
});

test('with trial=true what is not set has the names of the example', () => {
  assert.equal(contextOptions({ trial: 'true' }, 'refused').hostname, 'mx.pillarbox.example');
});

test('as a process, the app says what is wrong and ends with 1, before anything is built', async () => {
  const env = {
    ...process.env,
    CDK_CONTEXT_JSON: JSON.stringify({ ...flags, ...own, hostnam: 'mx.pillarbox.internal' }),
  };
  const ran = await promisify(execFile)(process.execPath, ['cdk/app.ts'], { env }).catch((thrown: unknown) => thrown);
  const { code, stderr } = ran as { code: number; stderr: string };
  assert.deepEqual([code, stderr], [1, 'cdk options:\n  hostnam: there is no such option. Did you mean "hostname"?\n']);
});
