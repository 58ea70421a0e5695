// The settings of pillarbox.json as rows of docs/configuration.md, made of the schema that the program itself goes by.
import assert from 'node:assert/strict';
import { z } from 'zod';
import { configSchema } from '#pipeline/config/config.ts';
import { markdownTable } from '#test/support/peers/client-docs.ts';

type Described = { readonly [key: string]: any };

const filled: Described = configSchema.parse({ domains: { 'a.example': {} } });
/** Told on pages of their own. */
const elsewhere: Readonly<Record<string, string>> = { chaos: 'an object' };

/** All settings in the order of the schema, each with what may stand there, its default, and what it is. */
export function configurationTable(): string {
  const schema: Described = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' });
  return markdownTable(['setting', 'values', 'default', 'what it is'], rowsOf(schema, '', filled));
}

function rowsOf(schema: Described, path: string, defaults: unknown): readonly (readonly string[])[] {
  return Object.entries<Described>(schema['properties'] ?? {}).flatMap(([name, given]) => {
    const key = path === '' ? name : `${path}.${name}`;
    const setting = withoutNull(given);
    const value = isObject(defaults) ? defaults[name] : undefined;
    const inner = elsewhere[key] === undefined ? innerRows(setting, key, value) : [];
    if (inner.length > 0 && (given['description'] ?? setting['description']) === undefined) return inner;
    const row = [`\`${key}\``, elsewhere[key] ?? valuesOf(setting), defaultOf(given, value), whatOf(given, key)];
    return [row, ...inner];
  });
}

/** Of an object, of what a list is of, and of what stands under each name. */
function innerRows(setting: Described, key: string, value: unknown): readonly (readonly string[])[] {
  if (setting['properties'] !== undefined) return rowsOf(setting, key, value);
  if (setting['items']?.properties !== undefined) return rowsOf(setting['items'], `${key}[]`, undefined);
  const named = setting['additionalProperties'];
  return named?.properties === undefined
    ? []
    : rowsOf(named, `${key}.NAME`, isObject(value) ? Object.values(value)[0] : undefined);
}

function withoutNull(setting: Described): Described {
  const { anyOf = [], ...rest } = setting;
  const own = anyOf.filter(({ type }: Described) => type !== 'null');
  return own.length === 1 ? { ...rest, ...own[0] } : setting;
}

function valuesOf(setting: Described): string {
  const { minimum, maximum, minItems } = setting;
  const type = [setting['type']].flat().find((one) => one !== 'null');
  if (setting['enum'] !== undefined) return setting['enum'].map((one: string) => `\`"${one}"\``).join(', ');
  if (type === 'integer') return `a whole number ${boundsOf(minimum ?? 1, maximum)}`;
  if (type === 'array') return `a list${minItems > 0 ? ' of at least one' : ''}`;
  if (type === 'object') return setting['additionalProperties'] === false ? 'an object' : 'an object by names';
  if (setting['anyOf'] !== undefined) return 'a text, or a list of texts';
  return type === 'boolean' ? '`true`, `false`' : 'a text';
}

function boundsOf(least: number, most: number): string {
  const from = Number.isSafeInteger(least) && least > 0 ? least : least === 0 ? 0 : 1;
  return most < Number.MAX_SAFE_INTEGER ? `from ${from} to ${most}` : `from ${from} on`;
}

/** What holds where the file says nothing; within a list or under a name, what the schema says. */
function defaultOf(given: Described, value: unknown): string {
  const own = value === undefined ? given['default'] : value;
  if (own === undefined) return '';
  return isObject(own) && Object.keys(own).length > 0 ? '' : shown(own);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? 'below' : `\`${text.replaceAll(',', ', ')}\``;
}

function whatOf(given: Described, key: string): string {
  const text: string = given['description'] ?? withoutNull(given)['description'] ?? '';
  assert.notEqual(text, '', `${key} has no description in the schema`);
  return text.replaceAll('|', '\\|');
}

function isObject(value: unknown): value is Described {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
