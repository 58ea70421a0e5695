// Changes one place of `pillarbox.json` and leaves all else as its author wrote it: comments, spaces, order, line breaks.
// jsonc-parser finds the place. Its own edits reformat the lines around it and move a comment from its item to the next, so
// the new text is inserted here.
import { findNodeAtLocation, type Node, parseTree, stripComments } from 'jsonc-parser';
import { parseDomain } from '#mail/address/address.ts';

type Path = readonly (string | number)[];

/** Adds `value` at the end of the array at `path`, or makes the array. Throws if something else is there. */
export function appendToArray(text: string, path: Path, value: unknown): string {
  const array = nodeAt(text, path);
  if (array === undefined) return setValue(text, path, [value]);
  if (array.type !== 'array') throw new Error(`${path.join('.')} is not an array`);
  return insert(text, array, { before: '', value });
}

/** Sets what is at `path`. Objects on the way are made; an array and its items must be there. */
export function setValue(text: string, path: Path, value: unknown): string {
  const known = nodeAt(text, path);
  if (known !== undefined) {
    const { offset, length } = known;
    return text.slice(0, offset) + jsonText(value, layoutAt(text, offset)) + text.slice(offset + length);
  }
  const parentPath = path.slice(0, -1);
  const name = path.at(-1) ?? '';
  const parent = nodeAt(text, parentPath);
  if (parent === undefined) return setValue(text, parentPath, { [name]: value });
  if (parent.type !== 'object') throw new Error(`${parentPath.join('.') || 'the file'} is not an object`);
  return insert(text, parent, { before: `${JSON.stringify(name)}: `, value });
}

/**
 * Takes an item out of the array at `path`, with its comma and a comment behind it on its line; comments above it stay. Throws if it is
 * not there.
 */
export function removeFromArray(text: string, path: Path, index: number): string {
  const array = nodeAt(text, path);
  const items = array?.type === 'array' ? (array.children ?? []) : [];
  return removeChild(text, { parent: array, items, index, path: [...path, index] });
}

/** Takes the member of this name, as the file writes it, out of the object at `path`; otherwise like an item of an array. */
export function removeMember(text: string, path: Path, name: string): string {
  const object = nodeAt(text, path);
  const items = object?.type === 'object' ? (object.children ?? []) : [];
  const index = items.findIndex(({ children }) => children?.[0]?.value === name);
  return removeChild(text, { parent: object, items, index, path: [...path, name] });
}

/** `path`: of what is taken out, for the error. */
type Removed = {
  readonly parent: Node | undefined;
  readonly items: readonly Node[];
  readonly index: number;
  readonly path: Path;
};

function removeChild(text: string, { parent, items, index, path }: Removed): string {
  const item = items[index];
  if (parent === undefined || item === undefined) throw new Error(`${path.join('.')} is not there`);
  const end = item.offset + item.length;
  const next = items[index + 1]?.offset ?? parent.offset + parent.length - 1;
  const comma = commaIn(text, end, next);
  const rest = endOfComment(text, comma === null ? end : comma + 1, next);
  const before = items[index - 1];
  // The last item of those without a comma behind takes the comma before it along.
  const own = comma === null && before !== undefined ? commaIn(text, before.offset + before.length, item.offset) : null;
  const left = own === null ? text.slice(0, item.offset) : text.slice(0, own) + text.slice(own + 1, item.offset);
  return joined(left, text.slice(rest));
}

/** Where the comma between two items is, which is no part of a comment; null if there is none. */
function commaIn(text: string, from: number, to: number): number | null {
  const blank = (comment: string): string => ' '.repeat(comment.length);
  const at = text
    .slice(from, to)
    .replace(/\/\/[^\r\n]*|\/\*[\s\S]*?\*\//g, blank)
    .indexOf(',');
  return at < 0 ? null : from + at;
}

/** Behind the comment that follows on the same line, if there is one: not if something else follows it there. */
function endOfComment(text: string, from: number, to: number): number {
  const [comment = ''] = /^[ \t]*(?:\/\/[^\r\n]*|\/\*[^\r\n]*?\*\/[ \t]*(?=[\r\n]))/.exec(text.slice(from, to)) ?? [];
  return from + comment.length;
}

/** Both parts, without the line or the blanks that stood around what was between them. */
function joined(left: string, right: string): string {
  const isOwnLine = /(?:^|\n)[ \t]*$/.test(left) && /^[ \t]*(?:\r?\n|$)/.test(right);
  if (isOwnLine) return left.replace(/[ \t]*$/, '') + right.replace(/^[ \t]*\r?\n/, '');
  if (/(?:[[\n][ \t]*|[^ \t])$/.test(left)) return left + right.replace(/^[ \t]+(?=\S)/, '');
  return left.replace(/[ \t]+$/, '') + right;
}

/** A domain's name as the file writes it; if it is not in the file, as it is. */
export function writtenDomain(text: string, domain: string): string {
  return writtenKey(text, ['domains'], (name) => parseDomain(name) === domain) ?? domain;
}

/** The key, as the file writes it, of the member that is meant in the object at `path`; null if there is none. */
export function writtenKey(text: string, path: Path, isMeant: (key: string) => boolean): string | null {
  const members = nodeAt(text, path)?.children ?? [];
  const names = members.map(({ children }) => String(children?.[0]?.value));
  return names.find(isMeant) ?? null;
}

/** Whether the file itself says something at `path`. */
export function isGiven(text: string, path: Path): boolean {
  return nodeAt(text.replace(/^\uFEFF/, ''), path) !== undefined;
}

function nodeAt(text: string, path: Path): Node | undefined {
  const root = parseTree(text, [], { allowTrailingComma: true });
  return root && findNodeAtLocation(root, [...path]);
}

/** Puts a new last child into an array or an object: after a comment that belongs to the child before. */
function insert(text: string, parent: Node, { before, value }: { before: string; value: unknown }): string {
  const end = parent.offset + parent.length - 1;
  const last = parent.children?.at(-1);
  const isOneLine = last !== undefined && !text.slice(parent.offset, end).includes('\n');
  const from = last === undefined ? parent.offset + 1 : last.offset + last.length;
  const outer = layoutAt(text, parent.offset);
  const inner = { ...outer, indent: outer.indent + outer.step };
  const tail = text.slice(from, end).trimEnd();
  const hasComma = stripComments(tail, ' ').includes(',');
  const added = isOneLine
    ? ` ${before}${JSON.stringify(value)}`
    : `${outer.lineBreak}${inner.indent}${before}${jsonText(value, inner)}`;
  const rest = last === undefined ? outer.lineBreak + outer.indent : text.slice(from + tail.length, end);
  const comma = last === undefined || hasComma ? '' : ',';
  return text.slice(0, from) + comma + tail + added + (hasComma ? ',' : '') + rest + text.slice(end);
}

type Layout = { readonly indent: string; readonly step: string; readonly lineBreak: string };

/** How lines are indented and end: `indent` of the line that a place is on. */
function layoutAt(text: string, at: number): Layout {
  const indent = /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', at - 1) + 1))?.[0] ?? '';
  return { indent, step: /^\t/m.test(text) ? '\t' : '  ', lineBreak: text.includes('\r\n') ? '\r\n' : '\n' };
}

function jsonText(value: unknown, { indent, step, lineBreak }: Layout): string {
  return JSON.stringify(value, null, step).replaceAll('\n', `${lineBreak}${indent}`);
}
