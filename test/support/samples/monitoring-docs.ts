// docs/monitoring.md: metrics, events of the log and alarms, made of the tables that the program itself goes by, and of the template.
import { listenerAccess, stages } from '#pipeline/contract/stages.ts';
import { eventTable } from '#pipeline/observe/event-names.ts';
import { metricTable } from '#pipeline/observe/metric-names.ts';
import { markdownTable } from '#test/support/peers/client-docs.ts';

/** With it begins what test/cdk/watch.test.ts compares. */
export const alarmsHeading = '## Alarms\n';

/** The section of the alarms, the last one of the page, by the properties of each in the template of the service. */
export function alarmsDocs(
  alarms: readonly { readonly AlarmName: string; readonly AlarmDescription: string }[],
): string {
  const rows = alarms.map(({ AlarmName, AlarmDescription }) => {
    const [, meaning = '', entry = ''] = /^(.*) What to do: docs\/runbook\.md#(\S+)$/.exec(AlarmDescription) ?? [];
    return [`\`${AlarmName.replace(/^pillarbox-/, '')}\``, meaning, `[${entry}](runbook.md#${entry})`];
  });
  return `${alarmsHeading}
On AWS, each named after the service (\`pillarbox-…\`) and sent to \`alarmEmail\`; those of stage \`notify\` and of hooks are there with the
option \`hooks\`. On one machine \`/health\` and the log say the same.

${markdownTable(['alarm', 'it rises when', 'what to do'], rows)}
`;
}

/** The page, but for the alarms. */
export function monitoringDocs(): string {
  const metrics = Object.entries(metricTable).map(([name, facts]) => [
    `\`${name}\``,
    facts.kind,
    facts.labels.map((label) => `\`${label}\``).join(', '),
    writersOf(name),
    whereOnAws(facts),
    facts.says,
  ]);
  const events = Object.entries(eventTable).map(([name, says]) => [`\`${name}\``, says]);
  return `# Metrics, log and alarms

Made by a test (\`npm run docs:monitoring\`) from \`pipeline/observe/metric-names.ts\`, \`pipeline/observe/event-names.ts\` and the template
of the deployment: there are no other names. What to do when something rises is in the [runbook](runbook.md).

## Metrics

On one machine at \`/metrics\`, as Prometheus text: \`jobs\` is \`pillarbox_jobs_total\`, \`job-seconds\` the histogram
\`pillarbox_job_seconds\`. On AWS in CloudWatch, in the namespace of the service's name, with the dimension \`stage\` (a stage, or
\`listener\`) before the labels. CloudWatch keeps those that alarms or scaling look at ("kept"); the others are lines of the log, where a
query finds them. What is in neither is said by the line that each message leaves (\`message-judged\`, \`message-stored\` with the
\`seconds\` since its \`250\`), or measured by Lambda (\`Duration\`).

\`outcome\` of \`jobs\` is what the stage says came of it; \`failed\`: the run failed; \`waits\`: the job waits for a fault of ours
([own-fault](runbook.md#own-fault)); \`unreadable\`: its body is no job.

${markdownTable(['metric', 'kind', 'labels', 'written by', 'on AWS', 'what it says'], metrics)}

## Events of the log

One JSON object a line: \`time\`, \`level\` (\`info\`, \`warn\`, \`error\`), \`event\`, on AWS \`stage\`, and facts; \`id\` is the message's.
Lines for each message leave out what is as usual: counts of nothing, no \`user\`, a \`receiveCount\` of 1.

${markdownTable(['event', 'what it means'], events)}

`;
}

function whereOnAws(facts: {
  readonly says: string;
  readonly watched?: true;
  readonly onAws?: readonly string[];
}): string {
  const { watched, onAws } = facts;
  if (onAws?.length === 0) return '';
  const where = watched ? 'kept' : 'log';
  return onAws === undefined ? where : `${where}: ${onAws.map((value) => `\`${value}\``).join(', ')}`;
}

function writersOf(metric: string): string {
  const writers = [{ name: 'listener', ...listenerAccess }, ...Object.values(stages)];
  const names = writers.filter(({ emits }) => emits.some((name) => name === metric)).map(({ name }) => name);
  if (metric === 'chaos-faults') return 'listener'; // of one machine alone
  return names.length === 0 ? 'ops API' : names.join(', ');
}
