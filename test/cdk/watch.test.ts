// What alarms, graphs and the log of a deployment see, by its templates.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { alarmsOfScaling, smallStanding } from '#bench/cost/cost.ts';
import { deployedProblems } from '#pipeline/config/deployed-problems.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';
import { deployedOptionsSchema } from '#pipeline/contract/deployed-options.ts';
import { messageQuery, messageQueryName } from '#pipeline/contract/message-query.ts';
import { type Access, deployedStages, listenerAccess, stages } from '#pipeline/contract/stages.ts';
import { watchedMetrics } from '#pipeline/observe/metric-names.ts';
import { alarmsDocs, alarmsHeading } from '#test/support/samples/monitoring-docs.ts';
import { flat, resourcesOf, synthesize } from './synthesize.ts';

test('every stage has alarms on its dead letters, on the age of its queue and on its errors', async () => {
  const { service } = await synthesize();
  const names = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties.AlarmName);
  for (const { name: stage } of deployedStages({ hooks: false })) {
    for (const kind of ['dead-letters', 'queue-age', 'stage-errors'])
      assert.ok(names.includes(`pillarbox-${kind}-${stage}`));
  }
  for (const name of ['dead-letters-received-slow', 'slow-lane-received-slow', 'stage-errors-received-slow'])
    assert.ok(names.includes(`pillarbox-${name}`), name);
  for (const kind of [
    'no-mail',
    'authentication-attack',
    'port-25-blocked',
    'certificate-expiring',
    'listener-unhealthy',
    'store-failing',
    'config-broken',
  ]) {
    assert.ok(names.includes(`pillarbox-${kind}`), kind);
  }
});

test('every alarm tells somebody and names an entry that the runbook has', async () => {
  const { service } = await synthesize();
  const entries = [...readFileSync('docs/runbook.md', 'utf8').matchAll(/^## (.+)$/gm)].map(([, title]) => title);
  for (const [, { Properties }] of resourcesOf(service, 'AWS::CloudWatch::Alarm')) {
    const [, entry] = /docs\/runbook\.md#(\S+)$/.exec(Properties.AlarmDescription) ?? [];
    assert.ok(entries.includes(entry), `${Properties.AlarmName}: ${Properties.AlarmDescription}`);
    assert.equal(Properties.AlarmActions.length, 1);
  }
});

test('docs/monitoring.md lists every alarm (else: npm run docs:monitoring)', async () => {
  const { service } = await synthesize({ hooks: 'true' });
  const wanted = alarmsDocs(resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties));
  const page = readFileSync('docs/monitoring.md', 'utf8');
  const before = page.slice(0, page.indexOf(alarmsHeading));
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync('docs/monitoring.md', before + wanted);
  assert.equal(readFileSync('docs/monitoring.md', 'utf8'), before + wanted);
});

test('the runbook names just the alarms that a new deployment raises before anybody has done anything', async () => {
  const { data, service } = await synthesize();
  const alarms = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  const of = (metric: string, stage?: string) =>
    alarms.filter(({ Metrics = [] }) =>
      Metrics.some(({ MetricStat }: any) => {
        const labels = MetricStat?.Metric.Dimensions.map(({ Value }: any) => Value) ?? [];
        return MetricStat?.Metric.MetricName === metric && (stage === undefined || labels.includes(stage));
      }),
    );
  // Secrets are made with nonsense in them: the listener has no certificate, and a relay's password is wrong.
  const made = resourcesOf(data, 'AWS::SecretsManager::Secret').map(([, { Properties }]) => Properties.Name);
  const lacks = (part: Pick<Access, 'secrets'>, name: string) =>
    part.secrets.includes(name) && made.includes(`pillarbox/${name}`);
  const configured = resourcesOf(data, 'Custom::AWS').map(([, { Properties }]) => flat(Properties.Create));
  const [text = '', deployed = ''] = configured.map((call) => JSON.parse(call).parameters.Body);
  const options = deployedOptionsSchema.parse(JSON.parse(deployed));
  const raised = [
    ...alarms.filter(({ TreatMissingData }) => TreatMissingData === 'breaching'),
    ...(lacks(listenerAccess, 'tls-certificate') ? of('certificate-days-left') : []),
    ...(deployedProblems(text, parseConfig(text, 'first'), options).length > 0 ? of('config-problems') : []),
    ...deployedStages(options).flatMap((stage) =>
      lacks(stage, 'smarthost-password')
        ? of('jobs', stage.name).filter(({ AlarmName }) => AlarmName.includes('own-fault'))
        : [],
    ),
  ];
  const [, firstDay = ''] = /^## The first day\n([^#]*)/m.exec(readFileSync('docs/runbook.md', 'utf8')) ?? [];
  assert.deepEqual(
    [...firstDay.matchAll(/^- `([^`]+)`/gm)].map(([, name]) => `pillarbox-${name}`).sort(),
    raised.map(({ AlarmName }) => AlarmName).sort(),
  );
});

test('the bill has as many alarms as a deployment: one for each metric that an alarm looks at', async () => {
  const { service } = await synthesize();
  const looked = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) =>
    Math.max(1, (Properties.Metrics ?? []).filter((metric: any) => metric.MetricStat !== undefined).length),
  );
  assert.equal(
    looked.reduce((sum, metrics) => sum + metrics, alarmsOfScaling),
    smallStanding.alarms,
  );
  const policies = resourcesOf(service, 'AWS::ApplicationAutoScaling::ScalingPolicy');
  assert.equal(alarmsOfScaling, 2 * policies.length, 'AWS makes these itself: they are in no template');
});

test('CloudWatch stores no metric that no alarm, graph or scaling looks at', async () => {
  const { service } = await synthesize({ hooks: 'true' });
  const looking = [
    'AWS::CloudWatch::Alarm',
    'AWS::CloudWatch::Dashboard',
    'AWS::ApplicationAutoScaling::ScalingPolicy',
  ];
  const text = looking.map((type) => JSON.stringify(resourcesOf(service, type))).join();
  for (const metric of watchedMetrics) assert.match(text, new RegExp(`"${metric}\\\\*"`), metric);
});

test('refusals, verdicts and how long mail takes are read from the log of those who write it, and cost nothing until then', async () => {
  const { service } = await synthesize();
  const [[, { Properties }]] = resourcesOf(service, 'AWS::CloudWatch::Dashboard') as any;
  const { widgets } = JSON.parse(flat(Properties.DashboardBody));
  const queries = widgets.filter(({ type }: any) => type === 'log').map(({ properties }: any) => properties.query);
  assert.equal(queries.length, 4);
  assert.match(queries[0], /^SOURCE '<ListenerLogs\w+>'.* stats sum\(`refusals`\) by reason, bin\(5m\)$/s);
  assert.match(queries[1], /^SOURCE '<AuthenticateLogs\w+>'.* 'message-judged'.* by dmarc, quarantined, bin\(5m\)$/s);
  assert.match(queries[2], /^SOURCE '<AuthenticateLogs\w+>'.* sum\(`dns-breakers-opened`\) by bin\(5m\)$/s);
  assert.match(queries[3], /^SOURCE '<ParseLogs\w+>'.* pct\(seconds, 50\), pct\(seconds, 99\) by bin\(5m\)$/s);
});

test('alarms see what ends a function in the middle of a run, throttles, and a certificate that is not exported', async () => {
  const { service } = await synthesize();
  const alarms = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  for (const [name, metric] of [
    ['function-errors', 'Errors'],
    ['function-throttles', 'Throttles'],
  ]) {
    const { Metrics } = alarms.find(({ AlarmName }) => AlarmName === `pillarbox-${name}`)!;
    const watched = Metrics.filter(({ MetricStat }: any) => MetricStat).map(({ MetricStat }: any) => MetricStat.Metric);
    assert.deepEqual(
      watched.map(({ MetricName, Dimensions }: any) => `${MetricName} ${flat(Dimensions[0].Value)}`).sort(),
      stageFunctions(service)
        .map(([id]) => `${metric} <${id}>`)
        .sort(),
    );
  }
  const acm = { certificate: 'acm', hostedZoneId: 'Z0123456789', hostedZoneName: 'pillarbox.example' };
  const withExport = await synthesize({ ...acm, alarmEmail: 'ops@pillarbox.example' });
  assert.ok(alarmNames(withExport.service).includes('pillarbox-certificate-not-exported'));
});

test('mail that waits for a fault of ours, as what SES does not send for us, raises an alarm with the first job', async () => {
  const { service } = await synthesize();
  const alarms = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  const { Metrics, Threshold } = alarms.find(({ AlarmName }) => AlarmName === 'pillarbox-own-fault-deliver')!;
  const [{ MetricStat }] = Metrics;
  assert.deepEqual([MetricStat.Metric.MetricName, MetricStat.Period, Threshold], ['jobs', 900, 1]);
  const dimensions = MetricStat.Metric.Dimensions.map(({ Name, Value }: any) => [Name, Value]);
  assert.deepEqual(Object.fromEntries(dimensions), { stage: 'deliver', queue: 'deliver', outcome: 'waits' });
});

test('a store that fails raises an alarm also under PROXY v2, where the health check only connects', async () => {
  const { service } = await synthesize({ ipAddressType: 'dualstack', preserveClientIp: false, proxyProtocol: true });
  assert.ok(alarmNames(service).includes('pillarbox-store-failing'));
});

test('whoever hears the alarms hears of tasks that cannot start, of a fleet at its most, and of a bill over the budget', async () => {
  const { service } = await synthesize();
  const [[topicId]] = resourcesOf(service, 'AWS::SNS::Topic') as any;
  const told = resourcesOf(service, 'AWS::Events::Rule').map(([, { Properties }]) => Properties);
  assert.deepEqual(told.map(({ EventPattern, Targets }) => `${EventPattern.source} ${flat(Targets[0].Arn)}`).sort(), [
    `aws.application-autoscaling <${topicId}>`,
    `aws.ecs <${topicId}>`,
  ]);
  const [[, { Properties }]] = resourcesOf(service, 'AWS::Budgets::Budget') as any;
  assert.equal(Properties.Budget.BudgetLimit.Amount, 300);
  for (const { Subscribers } of Properties.NotificationsWithSubscribers)
    assert.equal(flat(Subscribers[0].Address), `<${topicId}>`);
  const [[, policy]] = resourcesOf(service, 'AWS::SNS::TopicPolicy') as any;
  const mayPublish = policy.Properties.PolicyDocument.Statement.flatMap(({ Principal }: any) => Principal?.Service);
  for (const who of ['cloudwatch', 'budgets']) assert.ok(mayPublish.includes(`${who}.amazonaws.com`), who);
  for (const { Targets } of told) {
    const role = flat(Targets[0].RoleArn).slice(1, -'.Arn>'.length);
    const policies = resourcesOf(service, 'AWS::IAM::Policy').map(([, policy]) => policy.Properties);
    const [
      {
        PolicyDocument: { Statement },
      },
    ] = policies.filter(({ Roles }) => Roles[0].Ref === role) as any;
    assert.deepEqual(Statement, [{ Action: 'sns:Publish', Effect: 'Allow', Resource: { Ref: topicId } }]);
  }
  const none = await synthesize({ budgetDollars: 0, taskMemoryMiB: 2_048 });
  assert.equal(resourcesOf(none.service, 'AWS::Budgets::Budget').length, 0);
});

test('synth warns if nobody hears the alarms', async () => {
  const heard = { certificate: 'acm', hostedZoneId: 'Z0123456789', hostedZoneName: 'pillarbox.example' };
  const warned = (warnings: readonly string[]) => warnings.some((text) => text.startsWith('Nobody hears the alarms'));
  assert.ok(warned((await synthesize()).warnings()));
  assert.ok(!warned((await synthesize({ ...heard, alarmEmail: 'ops@pillarbox.example' })).warnings()));
});

test('the graphs find the metrics of a service whose name has a hyphen: each name of a SEARCH is quoted', async () => {
  const { service } = await synthesize({ serviceName: 'post-office' });
  const [[, { Properties }]] = resourcesOf(service, 'AWS::CloudWatch::Dashboard') as any;
  const searches = [...flat(Properties.DashboardBody).matchAll(/SEARCH\('\{(.*?)\}/g)].map(([, names]) => names);
  assert.ok(searches.length > 0);
  for (const names of searches) assert.match(names!.replaceAll('\\', ''), /^"post-office","stage"(?:,"[a-z]+")*$/);
});

test('one query over the logs of the listener and of every function tells the story of a message, by an index of its id', async () => {
  const { service } = await synthesize();
  const [[, { Properties }]] = resourcesOf(service, 'AWS::Logs::QueryDefinition') as any;
  const asked = Properties.LogGroupNames.map(flat).sort();
  const own = resourcesOf(service, 'AWS::Logs::LogGroup').filter(([id]) => !/Rejected|ConfigComparison/.test(id));
  assert.deepEqual(asked, own.map(([id]) => `<${id}>`).sort());
  for (const [id, group] of own) assert.deepEqual(group.Properties.FieldIndexPolicies, [{ Fields: ['id'] }], id);
  assert.equal(Properties.Name, messageQueryName('pillarbox'));
  assert.equal(Properties.QueryString, messageQuery('PUT-THE-ID-HERE', 1000), 'it is what "pillarbox trace" asks');
});

test('with hooks, one that fails for twenty minutes rings, and goes on until its next attempts, at most an hour apart, succeed', async () => {
  const named = async (options: object) =>
    resourcesOf((await synthesize(options)).service, 'AWS::CloudWatch::Alarm')
      .map(([, { Properties }]) => Properties)
      .filter(({ AlarmName }) => AlarmName === 'pillarbox-hook-failing');
  const [alarm] = await named({ hooks: 'true' });
  const [{ MetricStat }] = alarm.Metrics;
  assert.deepEqual([MetricStat.Metric.MetricName, MetricStat.Period, alarm.Threshold], ['hooks-failing', 4_500, 1]);
  assert.deepEqual(MetricStat.Metric.Dimensions, [{ Name: 'stage', Value: 'notify' }]);
  assert.deepEqual(await named({}), []);
});

test('a share of what bounces is told also when nothing at all is delivered', async () => {
  const { service } = await synthesize();
  const alarms = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  const { Metrics } = alarms.find(({ AlarmName }) => AlarmName === 'pillarbox-bounces-high')!;
  const [{ Expression }] = Metrics;
  // SUM of an array leaves out what is missing; a sum of two metrics is missing where one of them is.
  assert.equal(Expression, 'IF(SUM([part, rest]) > 20, 100 * part / SUM([part, rest]))');
});

test('where little mail comes, three failed runs of a job are told before it is a dead letter', async () => {
  const { service } = await synthesize();
  const alarms = resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
  const { Metrics, EvaluationPeriods } = alarms.find(({ AlarmName }) => AlarmName === 'pillarbox-stage-errors-parse')!;
  const [{ Expression }] = Metrics;
  assert.equal(Expression, 'IF(whole > 20, 100 * FILL(part, 0) / whole, IF(FILL(part, 0) > 2, 100, 0))');
  const { firstSeconds } = stages.parse.backOff;
  assert.ok(EvaluationPeriods === 1 && 3 * firstSeconds < 300, 'three runs are within one period');
  assert.ok(stages.parse.maxReceives > 3);
});

test('all log groups of the service forget after logDays', async () => {
  const { service } = await synthesize();
  for (const [id, { Properties }] of resourcesOf(service, 'AWS::Logs::LogGroup'))
    assert.equal(Properties.RetentionInDays, 30, id);
});

function stageFunctions(service: Awaited<ReturnType<typeof synthesize>>['service']) {
  return resourcesOf(service, 'AWS::Lambda::Function').filter(([, { Properties }]) =>
    /^Pillarbox stage /.test(Properties.Description ?? ''),
  );
}

function alarmNames(service: Awaited<ReturnType<typeof synthesize>>['service']): readonly string[] {
  return resourcesOf(service, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties.AlarmName);
}
