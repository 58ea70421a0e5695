// Changes one place of a JSON text and leaves the rest as its author wrote it: spaces, order, line breaks.
// Knows JSON's grammar only as far as finding where values begin and end; the text must be JSON already.

/** A value's place in the text, and those of its members. */
type Node = {
  readonly start: number;
  readonly end: number;
  readonly members: ReadonlyMap<string, Node> | null;
  readonly items: readonly Node[] | null;
};

/** Adds `value` at the end of the array at `path`, making the array where there is none. Throws where it is no array. */
export function appendToArray(text: string, path: readonly string[], value: unknown): string {
  const array = find(parseNode(text), path);
  if (array === null) return setMember(text, path, [value]);
  if (array.items === null) throw new Error(`${path.join('.')} is not an array`);
  return insert(text, array, array.items, { before: '', value });
}

/** Sets the member at `path`, replacing what is there; objects on the way are made where there are none. */
export function setMember(text: string, path: readonly string[], value: unknown): string {
  const parentPath = path.slice(0, -1);
  const name = path.at(-1) ?? '';
  const parent = find(parseNode(text), parentPath);
  if (parent === null) return setMember(text, parentPath, { [name]: value });
  if (parent.members === null) throw new Error(`${parentPath.join('.') || 'the file'} is not an object`);
  const known = parent.members.get(name);
  if (known !== undefined) return replace(text, known, value);
  return insert(text, parent, [...parent.members.values()], { before: `${JSON.stringify(name)}: `, value });
}

/** Replaces item `index` of the array at `path`. */
export function replaceItem(
  text: string,
  path: readonly string[],
  { index, value }: { readonly index: number; readonly value: unknown },
): string {
  const item = find(parseNode(text), path)?.items?.[index];
  if (item === undefined) throw new Error(`${path.join('.')}[${index}] is not there`);
  return replace(text, item, value);
}

function find(root: Node, path: readonly string[]): Node | null {
  let node: Node | null = root;
  for (const name of path) node = node?.members?.get(name) ?? null;
  return node;
}

function replace(text: string, { start, end }: Node, value: unknown): string {
  return text.slice(0, start) + indented(value, indentAt(text, start)) + text.slice(end);
}

function insert(
  text: string,
  parent: Node,
  children: readonly Node[],
  { before, value }: { readonly before: string; readonly value: unknown },
): string {
  const outer = indentAt(text, parent.start);
  const inner = `${outer}  `;
  const line = `\n${inner}${before}${indented(value, inner)}`;
  const last = children.at(-1);
  if (last === undefined) return `${text.slice(0, parent.start + 1)}${line}\n${outer}${text.slice(parent.end - 1)}`;
  const isOneLine = !text.slice(parent.start, parent.end).includes('\n');
  const added = isOneLine ? `, ${before}${JSON.stringify(value)}` : `,${line}`;
  return text.slice(0, last.end) + added + text.slice(last.end);
}

/** The white space at the beginning of the line that a place is on. */
function indentAt(text: string, at: number): string {
  return /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', at - 1) + 1))?.[0] ?? '';
}

function indented(value: unknown, indent: string): string {
  return JSON.stringify(value, null, 2).replaceAll('\n', `\n${indent}`);
}

function parseNode(text: string): Node {
  JSON.parse(text); // throws where the text is no JSON: below, it is
  return readValue(text, skipSpace(text, 0));
}

function readValue(text: string, start: number): Node {
  const first = text[start];
  if (first === '{') return readObject(text, start);
  if (first === '[') return readArray(text, start);
  const end =
    first === '"'
      ? endOfString(text, start)
      : start + (/^[^\s,\]}]+/.exec(text.slice(start, start + 400))?.[0].length ?? 1);
  return { start, end, members: null, items: null };
}

function readObject(text: string, start: number): Node {
  const members = new Map<string, Node>();
  let at = skipSpace(text, start + 1);
  while (text[at] !== '}') {
    const nameEnd = endOfString(text, at);
    const name = String(JSON.parse(text.slice(at, nameEnd)));
    const value = readValue(text, skipSpace(text, skipSpace(text, nameEnd) + 1));
    members.set(name, value);
    at = skipSpace(text, value.end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return { start, end: at + 1, members, items: null };
}

function readArray(text: string, start: number): Node {
  const items: Node[] = [];
  let at = skipSpace(text, start + 1);
  while (text[at] !== ']') {
    const value = readValue(text, at);
    items.push(value);
    at = skipSpace(text, value.end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return { start, end: at + 1, members: null, items };
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (/\s/.test(text[at] ?? '')) at++;
  return at;
}
