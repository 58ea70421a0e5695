// Reads JSON by a strict schema as a program does that may be older than who wrote it: fields that it does not know are left out.
import type { z } from 'zod';

/** Throws an Error that names `where`, each wrong field, and what was expected there. */
export function parseTolerantly<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
  where: string,
): z.output<Schema> {
  const first = schema.safeParse(json);
  const unknown = (first.error?.issues ?? []).filter((issue) => issue.code === 'unrecognized_keys');
  const known: unknown = unknown.length === 0 ? json : structuredClone(json);
  for (const { path, keys } of unknown) removeFields(known, path, keys);
  const parsed = unknown.length === 0 ? first : schema.safeParse(known);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`${where} is no inbox message of a version that is known here: ${faults.join('; ')}`);
}

function removeFields(json: unknown, path: readonly PropertyKey[], fields: readonly string[]): void {
  const holder = path.reduce<unknown>((part, name) => (isObject(part) ? Reflect.get(part, name) : undefined), json);
  if (isObject(holder)) for (const field of fields) Reflect.deleteProperty(holder, field);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
