// The public test suite of RFC 7208 (openspf.org, release 2014.04), unmodified but for YAML turned into JSON, through the
// whole stage: a job with that envelope goes in, the verdict is what the `parse` job carries. No exceptions.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Resolve } from '#pipeline/contract/ports.ts';
import { judge, plainMessage } from './run-stage.ts';

const suiteFile = new URL('../../fixtures/authenticate/rfc7208-tests.json', import.meta.url);

type Case = {
  readonly helo: string;
  readonly host: string;
  readonly mailfrom: string;
  readonly result: string | readonly string[];
  readonly explanation?: string;
};
type Scenario = {
  readonly description: string;
  readonly tests: Readonly<Record<string, Case>>;
  readonly zonedata: Readonly<Record<string, readonly (string | Readonly<Record<string, unknown>>)[]>>;
};

test('all 203 cases of the RFC 7208 suite have one of the results the suite names', async (t) => {
  const scenarios: Scenario[] = JSON.parse(readFileSync(suiteFile, 'utf8'));
  let cases = 0;
  for (const { description, tests, zonedata } of scenarios) {
    await t.test(description, async () => {
      const resolve = suiteZone(zonedata);
      for (const [name, { helo, host, mailfrom, result, explanation }] of Object.entries(tests)) {
        cases += 1;
        const { spf } = await judge({
          message: plainMessage,
          resolve,
          session: { clientIp: host, helo },
          job: { reversePath: mailfrom },
        });
        assert.ok([result].flat().includes(spf.result), `${name}: ${spf.result}, not ${result}: ${spf.reason}`);
        // Spaces are ours, we write on one line; and RFC 7208 §7.3 leaves open how hex digits are written.
        if (explanation !== undefined && explanation !== 'DEFAULT') {
          const shown = explanation.toLowerCase().replace(/\s+/g, ' ');
          assert.ok(spf.reason.toLowerCase().includes(shown), `${name}: ${spf.reason}`);
        }
      }
    });
  }
  assert.equal(cases, 203);
});

type Entry = 'TIMEOUT' | readonly [type: string, value: unknown];

/** The suite's zones by the rules of its own driver: SPF records stand for TXT where there is none, CNAMEs are followed. */
function suiteZone(zonedata: Scenario['zonedata']): Resolve {
  const zone = new Map(Object.entries(zonedata).map(([name, records]) => [name.toLowerCase(), entriesOf(records)]));
  const resolve = async (name: string, type: string, depth = 0): Promise<unknown> => {
    const entries = zone.get(name.toLowerCase().replace(/\.$/, ''));
    if (entries === undefined) throw failure('ENOTFOUND');
    const answers: unknown[] = [];
    let isDead = true;
    for (const entry of entries) {
      if (entry === 'TIMEOUT') {
        if (isDead) throw failure('ETIMEOUT');
        break;
      }
      const [kind, value] = entry;
      if (kind === type && value === 'TIMEOUT') throw failure('ETIMEOUT');
      if (kind === type) isDead = false;
      if (kind === type) answers.push(answerOf(type, value));
      else if (kind === 'CNAME' && depth < 5) return resolve(String(value), type, depth + 1);
    }
    if (answers.length === 0) throw failure('ENODATA');
    return answers;
  };
  return (name, type) => resolve(name, type);
}

function entriesOf(records: Scenario['zonedata'][string]): Entry[] {
  const pairs = records.flatMap((record): Entry[] =>
    typeof record === 'string' ? ['TIMEOUT'] : Object.entries(record).map(([type, value]): Entry => [type, value]),
  );
  const hasTxt = pairs.some((pair) => pair !== 'TIMEOUT' && pair[0] === 'TXT');
  const copies = pairs.flatMap((pair): Entry[] =>
    pair !== 'TIMEOUT' && pair[0] === 'SPF' && !hasTxt ? [['TXT', pair[1]]] : [],
  );
  return [...pairs, ...copies].filter((pair) => pair === 'TIMEOUT' || pair[1] !== 'NONE');
}

function answerOf(type: string, value: unknown): unknown {
  if (type === 'TXT') return [value].flat();
  if (type === 'MX' && Array.isArray(value)) return { priority: value[0], exchange: value[1] };
  return value;
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
