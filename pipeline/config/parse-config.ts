// From the text of `pillarbox.json` (JSON with comments and trailing commas) to a Config. An error names the file, the line
// or the path of each fault, and what was expected there.
import { type JSONVisitor, type ParseError, parse, printParseErrorCode, visit } from 'jsonc-parser';
import type { z } from 'zod';
import { type Config, configSchema } from './config.ts';

/** A configuration that cannot be used; `faults` has one sentence each, the message all of them. */
export type ConfigError = Error & { readonly faults: readonly string[] };

const options = { allowTrailingComma: true };

/** Reads a configuration. `where` names it in errors (its path or URL). Throws a {@link ConfigError}. */
export function parseConfig(text: string, where: string): Config {
  const parsed = configSchema.safeParse(parseJson(text, where));
  if (parsed.success) return parsed.data;
  throw configError(where, parsed.error.issues.flatMap(describeIssue));
}

function parseJson(text: string, where: string): unknown {
  const bare = text.replace(/^\uFEFF/, '');
  const errors: ParseError[] = [];
  const json: unknown = parse(bare, errors, options);
  const [first] = errors;
  const faults = first === undefined ? repeatedKeys(bare) : [describeSyntax(bare, first)];
  if (faults.length > 0) throw configError(where, faults);
  return json;
}

/** A key must stand once in its object: readers take the last one, and an edit changes the first. */
function repeatedKeys(text: string): readonly string[] {
  const lines = new Map<string, number>();
  const faults: string[] = [];
  const onObjectProperty: JSONVisitor['onObjectProperty'] = (name, _offset, _length, startLine, _column, pathOf) => {
    const at = pathText([...pathOf(), name]);
    const line = startLine + 1;
    const first = lines.get(at);
    if (first === undefined) lines.set(at, line);
    else faults.push(`line ${line}: ${at} stands here a second time (first on line ${first})`);
  };
  visit(text, { onObjectProperty }, options);
  return faults;
}

function describeSyntax(text: string, { offset, error }: ParseError): string {
  if (text.trim() === '') return 'the file is empty: a JSON object is expected, "{}" at least';
  const before = text.slice(0, offset).split('\n');
  const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  const words = printParseErrorCode(error).replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`);
  return `${place}: not JSON: ${text[offset] === '#' ? 'a comment begins with //' : words.toLowerCase()}`;
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const at = pathText(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${pathText([...issue.path, key])}: there is no such setting`);
  }
  if (issue.code === 'invalid_key') return issue.issues.map((inner) => `${at}: ${inner.message}`);
  return [`${at}: ${issue.message.replace(/^Invalid input: /, '')}`];
}

/** `domains["a.example"].dkim[0]`; `(the whole file)` for no path. */
export function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(the whole file)';
  return path.reduce<string>((so, part) => {
    if (typeof part === 'number') return `${so}[${part}]`;
    const name = String(part);
    if (/^[A-Za-z_$][\w$]*$/.test(name)) return so === '' ? name : `${so}.${name}`;
    return `${so}[${JSON.stringify(name)}]`;
  }, '');
}

function configError(where: string, faults: readonly string[]): ConfigError {
  const message = `${where} cannot be used:\n${faults.map((fault) => `  ${fault}`).join('\n')}`;
  return Object.assign(new Error(message), { name: 'ConfigError', faults });
}
