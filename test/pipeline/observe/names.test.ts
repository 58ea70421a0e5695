// The names of metrics and events: all that is written is in the tables, all that is in the tables is written, and the page has them.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { listenerAccess, stageNames, stages } from '#pipeline/contract/stages.ts';
import { eventTable } from '#pipeline/observe/event-names.ts';
import { metricTable } from '#pipeline/observe/metric-names.ts';
import { noMetrics } from '#test/support/fakes/no-metrics.ts';
import { silentLog } from '#test/support/fakes/silent-log.ts';
import { alarmsHeading, monitoringDocs } from '#test/support/samples/monitoring-docs.ts';

const home = join(import.meta.dirname, '../../..');
const page = join(home, 'docs/monitoring.md');

test('docs/monitoring.md lists every metric and every event (else: npm run docs:monitoring)', async () => {
  const text = await readFile(page, 'utf8');
  const wanted = monitoringDocs();
  const alarms = text.slice(text.indexOf(alarmsHeading));
  if (process.env['UPDATE_DOCS'] === '1') await writeFile(page, wanted + alarms);
  assert.equal(await readFile(page, 'utf8'), wanted + alarms);
});

test('every metric and every event in the tables is written somewhere', () => {
  const source = ['pipeline', 'container', 'functions', 'ops', 'local'].map(textOf).join('\n');
  const unused = (names: object): readonly string[] => Object.keys(names).filter((name) => !isWritten(source, name));
  assert.deepEqual([unused(metricTable), unused(eventTable)], [[], []]);
});

test('the table of stages says just which metrics each of them writes', () => {
  const ofAll = stages.parse.emits.filter((name) => stages.deliver.emits.includes(name));
  const written = (folder: string): readonly string[] => {
    const own = Object.keys(metricTable).filter((name) => isWritten(textOf(folder), name));
    return [...new Set([...own, ...ofAll])].sort();
  };
  for (const name of stageNames) {
    assert.deepEqual([...stages[name].emits].sort(), written(`functions/${name}`), name);
  }
  // Chaos is no part of the deployed listener.
  const listener = [...listenerAccess.emits, 'chaos-faults', 'jobs', 'job-seconds', 'job-hops'].sort();
  assert.deepEqual(listener, written('container'));
});

test('a name or a label that is in no table does not compile', () => {
  const [metrics, log] = [noMetrics(), silentLog()];
  // @ts-expect-error a typo
  metrics.count('jbos');
  // @ts-expect-error a counter is not measured
  metrics.measure('jobs', 1);
  // @ts-expect-error no label of it
  metrics.count('jobs', { result: 'failed' });
  // @ts-expect-error a typo
  log.error('job-faild');
  assert.equal(metrics.recorded.length + log.entries.length, 4);
});

function isWritten(source: string, name: string): boolean {
  return new RegExp(`(?:count|measure|info|warn|error|\\])\\(\\s*'${name}'`).test(source);
}

/** All TypeScript below a folder. */
function textOf(folder: string): string {
  return readdirSync(join(home, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(home, folder, file), 'utf8'))
    .join('\n');
}
