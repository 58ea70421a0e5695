// What is different between two configurations, in sentences for people: where, what it was, what it is. What is left out counts as
// its default, so a default that is written down is no change. Hashes of passwords are not shown.
import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config.ts';
import { pathText } from './parse-config.ts';
import { storedReference } from './stored-hashes.ts';

type Path = readonly (string | number)[];

/** The settings by which an item of a list is the same item. */
const identities = ['name', 'selector', 'role'];

const maxShown = 160;

/** A sentence for each difference, in the order of the file: `limits.recipients: 50, was 100`. Empty if both do the same. */
export function describeChanges(before: Config, after: Config): readonly string[] {
  return compare([], before, after);
}

function compare(path: Path, before: unknown, after: unknown): readonly string[] {
  if (isDeepStrictEqual(before, after) || isSameHash(before, after)) return [];
  if (isRecord(before) && isRecord(after)) return compareRecords(path, before, after);
  if (!Array.isArray(before) || !Array.isArray(after)) {
    const [was, is] = [shown(before), shown(after)];
    return [`${pathText(path)}: ${was === is ? 'another hash' : `${is}, was ${was}`}`];
  }
  const named = [byIdentity(before), byIdentity(after)];
  if (named[0] && named[1]) return compareRecords(path, named[0], named[1]);
  return [`${pathText(path)}: ${compareLists(before, after)}`];
}

/** One may say where it is kept. */
function isSameHash(before: unknown, after: unknown): boolean {
  if (typeof before !== 'string' || typeof after !== 'string') return false;
  return storedReference(before) === after || before === storedReference(after);
}

function compareRecords(
  path: Path,
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): readonly string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => {
    const at = [...path, key];
    if (!Object.hasOwn(before, key)) return [`${pathText(at)}: added, ${shown(after[key])}`];
    if (!Object.hasOwn(after, key)) return [`${pathText(at)}: removed, was ${shown(before[key])}`];
    return compare(at, before[key], after[key]);
  });
}

function compareLists(before: readonly unknown[], after: readonly unknown[]): string {
  const missing = (from: readonly unknown[], other: readonly unknown[]) =>
    from.filter((item) => !other.some((one) => isDeepStrictEqual(one, item))).map(shown);
  const [added, removed] = [missing(after, before), missing(before, after)];
  const words = [
    ...(added.length > 0 ? [`added ${added.join(', ')}`] : []),
    ...(removed.length > 0 ? [`removed ${removed.join(', ')}`] : []),
  ];
  return words.length > 0 ? words.join('; ') : `in another order: ${shown(after)}`;
}

/** The items by their names; null if one has none, or two have the same. */
function byIdentity(list: readonly unknown[]): Readonly<Record<string, unknown>> | null {
  const entries = list.map((item) => {
    const identity = isRecord(item) ? identities.find((key) => typeof item[key] === 'string') : undefined;
    return isRecord(item) && identity !== undefined ? ([String(item[identity]), item] as const) : null;
  });
  const known = entries.filter((entry) => entry !== null);
  const byName = Object.fromEntries(known);
  return Object.keys(byName).length === list.length ? byName : null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_key, inner) =>
    typeof inner === 'string' && /^(scrypt|stored):/.test(inner) ? '(a hash)' : inner,
  );
  if (text === undefined) return 'nothing';
  return text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
}
