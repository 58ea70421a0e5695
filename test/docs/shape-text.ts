// The form of a JSON value as people read it, made from its schema: TypeScript's way of writing types.
import { z } from 'zod';

type Described = { readonly [key: string]: any };

/** Over several lines, two blanks a level. `input`: as it is sent, before defaults. */
export function shapeText(schema: z.core.$ZodType, io: 'input' | 'output' = 'output'): string {
  return textOf(z.toJSONSchema(schema, { io, unrepresentable: 'any' }), '');
}

function textOf(schema: Described, indent: string): string {
  if ('const' in schema) return JSON.stringify(schema['const']);
  if (schema['enum'] !== undefined) return schema['enum'].map((one: unknown) => JSON.stringify(one)).join(' | ');
  const choices: readonly Described[] | undefined = schema['anyOf'] ?? schema['oneOf'];
  if (choices !== undefined) return choices.map((one) => textOf(one, indent)).join(' | ');
  if (schema['type'] === 'array') return arrayText(schema['items'] ?? {}, indent);
  if (schema['type'] === 'object') return objectText(schema, indent);
  const types: readonly string[] = [schema['type'] ?? 'any'].flat();
  return types.map((type) => (type === 'integer' ? 'number' : type)).join(' | ');
}

function arrayText(items: Described, indent: string): string {
  const text = textOf(items, indent);
  return text.includes(' | ') && !text.endsWith('}') ? `(${text})[]` : `${text}[]`;
}

function objectText({ properties = {}, required = [], additionalProperties }: Described, indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries<Described>(properties).map(([name, value]) => {
    return `${inner}${name}${required.includes(name) ? '' : '?'}: ${textOf(value, inner)};`;
  });
  const others = typeof additionalProperties === 'object' ? textOf(additionalProperties, inner) : null;
  if (lines.length === 0) return `{ [name: string]: ${others === null || others === '{}' ? 'any' : others} }`;
  return `{\n${lines.join('\n')}\n${indent}}`;
}
