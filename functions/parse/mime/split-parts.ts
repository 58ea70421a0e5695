// Makes mailparser's splitter keep to RFC 2046 where it does not: boundaries with blanks behind them, boundaries of an
// outer multipart within an inner one that was never closed, parts of a digest, headers of parts that are none. Knows the
// splitter's inside (@zone-eu/mailsplit of mailparser 3.9.31), as mime-watch.ts knows the parser's.
import type { Transform } from 'node:stream';
import { createHeadReader, type HeaderField } from '#functions/parse/header/read-head.ts';
import { withoutComments } from '#functions/parse/header/without-comments.ts';
import { limits } from '#functions/parse/limits.ts';
import { createProblemList, type ProblemList } from '#functions/parse/problems.ts';

/** A node of the splitter: one part, while it is split off. */
type Node = Record<string, unknown>;

/** 1: the next part of this multipart, 2: its end; 3 and 4: the same of the multipart that this part stands in. */
type Boundary = 1 | 2 | 3 | 4 | false;

/** What the corrected splitter has seen. */
export type Splitting = {
  /** The bytes that stood in the header of a part and belong to its body; asked once, null where there are none. */
  readonly takeRest: (node: unknown) => Uint8Array | null;
};

/** Corrects a splitter that has not been written to yet. Throws where it is built in another way. */
export function correctSplitting(splitter: Transform, problems: ProblemList): Splitting {
  const newNode: unknown = Reflect.get(splitter, 'newNode');
  if (typeof newNode !== 'function') throw new Error('mailparser has changed: no newNode');
  const rests = new Map<unknown, Uint8Array>();
  const known = new Set<string>();
  const watching = { problems, seen: (boundary: string) => known.add(boundary) };
  correctHeaders(splitter, rests, watching);
  let parts = 1;
  Reflect.set(splitter, 'newNode', (parent: unknown) => {
    parts += 1;
    // Past the limit no boundary is one any more: the rest is the body of the last part, which nobody reads. Left to
    // itself, the library splits far ahead of what is read, and its own limit loses what was split and not read yet.
    if (parts > limits.parts) Reflect.set(splitter, 'checkBoundary', () => false);
    newNode.call(splitter, parent);
    correctHeaders(splitter, rests, watching);
  });
  const outerOf = outerBoundaries();
  Reflect.set(splitter, 'checkBoundary', (line: Uint8Array): Boundary => {
    const text = delimiterText(line);
    const isKnown = text !== null && (known.has(text) || known.has(text.slice(0, -2)));
    return isKnown ? findBoundary(splitter, text, { outerOf, problems }) : false;
  });
  return {
    takeRest: (node) => {
      const rest = rests.get(node) ?? null;
      rests.delete(node);
      return rest;
    },
  };
}

/** What stands behind the two hyphens of a line, without blanks at its end (RFC 2046 §5.1.1); null for other lines. */
function delimiterText(line: Uint8Array): string | null {
  let start = 0;
  while (start < 2 && (line[start] === 0x0d || line[start] === 0x0a)) start += 1;
  if (line[start] !== 0x2d || line[start + 1] !== 0x2d || line.length > limits.mimeFieldBytes) return null;
  let end = line.length;
  while (end > start + 2 && isBlank(line[end - 1])) end -= 1;
  return Buffer.from(line.subarray(start + 2, end)).toString('latin1');
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
}

type Finding = { readonly outerOf: (node: Node) => ReadonlyMap<string, Node>; readonly problems: ProblemList };

/** RFC 2046 §5.1.2: the boundaries of every multipart that a part stands in count, the nearest first. */
function findBoundary(splitter: Transform, text: string, { outerOf, problems }: Finding): Boundary {
  const node = nodeAt(splitter, 'node');
  if (node === null) return false;
  const own = Reflect.get(splitter, 'inEpilogue') === true ? null : boundaryOf(node);
  if (own !== null && text === own) return 1;
  if (own !== null && text === `${own}--`) return 2;
  const outer = outerOf(node);
  const next = outer.get(text);
  const child = next ?? (text.endsWith('--') ? outer.get(text.slice(0, -2)) : undefined);
  if (child === undefined) return false;
  pushHeaderOnly(splitter, node);
  if (child !== node) problems.add('malformed-mime', 'a multipart ends without the boundary that closes it');
  Reflect.set(splitter, 'node', child);
  return next === undefined ? 4 : 3;
}

/** The boundaries of the multiparts that a node stands in, each with that one's part; found once for a node in a row. */
function outerBoundaries(): (node: Node) => ReadonlyMap<string, Node> {
  let last: Node | null = null;
  let found = new Map<string, Node>();
  return (node) => {
    if (node === last) return found;
    [last, found] = [node, new Map()];
    let child = node;
    for (let owner = ownerOf(child); owner !== null; owner = ownerOf(child)) {
      const boundary = boundaryOf(owner);
      if (boundary !== null && !found.has(boundary)) found.set(boundary, child);
      child = owner;
    }
    return found;
  };
}

/** A part that has a header and then its boundary at once is a part all the same. */
function pushHeaderOnly(splitter: Transform, node: Node): void {
  const length = node['_headerlen'];
  if (node['headers'] !== false || typeof length !== 'number' || length === 0) return;
  const parseHeaders = node['parseHeaders'];
  if (typeof parseHeaders !== 'function') throw new Error('mailparser has changed: no parseHeaders');
  parseHeaders.call(node);
  splitter.push(node);
}

/** Only a multipart has one, whatever a part's type may say. */
function boundaryOf(node: Node): string | null {
  const boundary = node['_boundary'];
  const isMultipart = typeof node['multipart'] === 'string' && boundary instanceof Uint8Array;
  return isMultipart ? Buffer.from(boundary).toString('latin1').trimEnd() : null;
}

function ownerOf(node: Node): Node | null {
  return nodeAt(node, '_parentBoundaryOwner');
}

function nodeAt(holder: object, key: string): Node | null {
  const node: unknown = Reflect.get(holder, key);
  return isNode(node) ? node : null;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null;
}

type Watching = { readonly problems: ProblemList; readonly seen: (boundary: string) => void };

/** The header of the part that begins is read by this folder before the library sees it. */
function correctHeaders(splitter: Transform, rests: Map<unknown, Uint8Array>, { problems, seen }: Watching): void {
  const node = nodeAt(splitter, 'node');
  const parseHeaders = node?.['parseHeaders'];
  if (node === null || typeof parseHeaders !== 'function') throw new Error('mailparser has changed: no node');
  node['parseHeaders'] = () => {
    const lines = node['_headersLines'];
    if (node['headers'] !== false || !Array.isArray(lines)) return;
    if (node['root'] !== true) {
      const { header, rest } = readPartHeader(Buffer.concat(lines), nodeAt(node, 'parentNode'), problems);
      node['_headersLines'] = [header];
      node['_headerlen'] = header.length;
      if (rest.length > 0) rests.set(node, rest);
    }
    parseHeaders.call(node);
    const boundary = boundaryOf(node);
    if (boundary !== null) seen(boundary);
  };
}

function readPartHeader(
  bytes: Uint8Array,
  parent: Node | null,
  problems: ProblemList,
): { readonly header: Uint8Array; readonly rest: Uint8Array } {
  const found = createProblemList();
  const reader = createHeadReader(found);
  const { fields, rest } = reader.push(bytes) ?? reader.finish();
  if (found.list().length > 0) {
    problems.add(
      'malformed-mime',
      'the header of a part ends at a line that is no header field: its body begins there',
    );
  }
  const lines = fields.filter(({ name }) => /^content-/i.test(name)).map(headerLine);
  // RFC 2046 §5.1.5: what a digest holds are messages, unless they say otherwise.
  const isMessage = parent?.['multipart'] === 'digest' && !fields.some(({ name }) => /^content-type$/i.test(name));
  if (isMessage) lines.push(Buffer.from('Content-Type: message/rfc822\r\n'));
  return { header: Buffer.concat([...lines, Buffer.from('\r\n')]), rest };
}

function headerLine({ name, raw }: HeaderField): Buffer {
  const isBare = /^content-(?:type|transfer-encoding)$/i.test(name);
  const value = isBare ? Buffer.from(withoutComments(Buffer.from(raw).toString('latin1')), 'latin1') : raw;
  return Buffer.concat([Buffer.from(`${name}:`), value, Buffer.from('\r\n')]);
}
