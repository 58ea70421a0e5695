// Makes mailparser's splitter keep to RFC 2046 where it does not: boundaries with blanks behind them, boundaries of an
// outer multipart within an inner one that was never closed, parts of a digest, headers of parts that are none.
import { mimeHeader } from '#functions/parse/header/mime-header.ts';
import { withoutComments } from '#functions/parse/header/without-comments.ts';
import { limits } from '#functions/parse/limits.ts';
import { createProblemList, type ProblemList } from '#functions/parse/problems.ts';
import { fieldValue, type HeaderField } from '#mail/header/header-fields.ts';
import { readHeader } from '#mail/header/read-header.ts';
import type { Boundary, Part, Splitter } from './mailparser-inside.ts';

/**
 * Corrects a splitter that has not been written to yet. Answers a function that gives the bytes that stood in the header
 * of a part and belong to its body: once, null where there are none.
 */
export function correctSplitting(splitter: Splitter, problems: ProblemList): (part: Part) => Uint8Array | null {
  const rests = new Map<Part, Uint8Array>();
  const known = new Set<string>();
  const watching = { problems, seen: (boundary: string) => known.add(boundary) };
  const newNode = splitter.newNode.bind(splitter);
  correctHeader(splitter.node, rests, watching);
  let parts = 1;
  splitter.newNode = (parent) => {
    parts += 1;
    // Past the limit no line counts as a boundary: the rest is the body of the last part, which is not read. Otherwise the
    // library would split far ahead of the reader, and its own limit would lose parts that were split and not read.
    if (parts > limits.parts) splitter.checkBoundary = () => false;
    newNode(parent);
    correctHeader(splitter.node, rests, watching);
  };
  const outerOf = outerBoundaries();
  splitter.checkBoundary = (line) => {
    const text = delimiterText(line);
    const isKnown = text !== null && (known.has(text) || known.has(text.slice(0, -2)));
    return isKnown ? findBoundary(splitter, text, { outerOf, problems }) : false;
  };
  const transform = splitter._transform.bind(splitter);
  splitter._transform = (chunk: Uint8Array, encoding, done) => {
    const { node } = splitter;
    if (known.size > 0 || node.headers === false) return transform(chunk, encoding, done);
    // No part has a boundary, so all that comes is body; to look at it line by line takes several times as long.
    for (const value of [splitter.takePendingLine(), chunk]) if (value) splitter.push({ type: 'body', node, value });
    done();
  };
  return (part) => {
    const rest = rests.get(part) ?? null;
    rests.delete(part);
    return rest;
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

type Finding = { readonly outerOf: (part: Part) => ReadonlyMap<string, Part>; readonly problems: ProblemList };

/** RFC 2046 §5.1.2: the boundaries of every multipart that a part stands in count, the nearest first. */
function findBoundary(splitter: Splitter, text: string, { outerOf, problems }: Finding): Boundary {
  const part = splitter.node;
  const own = splitter.inEpilogue ? null : boundaryOf(part);
  if (own !== null && text === own) return 1;
  if (own !== null && text === `${own}--`) return 2;
  const outer = outerOf(part);
  const next = outer.get(text);
  const child = next ?? (text.endsWith('--') ? outer.get(text.slice(0, -2)) : undefined);
  if (child === undefined) return false;
  if (part.headers === false && part._headerlen > 0) {
    // A part that is a header alone is a part too.
    part.parseHeaders();
    splitter.push(part);
  }
  if (child !== part) problems.add('malformed-mime', 'a multipart ends without the boundary that closes it');
  splitter.node = child;
  return next === undefined ? 4 : 3;
}

/** The boundaries of the multiparts that a part stands in, each with that one's part; found once for a part in a row. */
function outerBoundaries(): Finding['outerOf'] {
  let last: Part | null = null;
  let found = new Map<string, Part>();
  return (part) => {
    if (part === last) return found;
    [last, found] = [part, new Map()];
    let child = part;
    for (let owner = child._parentBoundaryOwner; owner !== false; owner = child._parentBoundaryOwner) {
      const boundary = boundaryOf(owner);
      if (boundary !== null && !found.has(boundary)) found.set(boundary, child);
      child = owner;
    }
    return found;
  };
}

/** Only a multipart has one, whatever parameters another type has. */
function boundaryOf({ multipart, _boundary }: Part): string | null {
  return multipart !== false && _boundary !== false ? Buffer.from(_boundary).toString('latin1').trimEnd() : null;
}

type Watching = { readonly problems: ProblemList; readonly seen: (boundary: string) => void };

/** The header of the part that begins is read by this folder before the library sees it. */
function correctHeader(part: Part, rests: Map<Part, Uint8Array>, { problems, seen }: Watching): void {
  const parseHeaders = part.parseHeaders.bind(part);
  part.parseHeaders = () => {
    if (part.headers !== false) return;
    if (!part.root) {
      const { header, rest } = readPartHeader(Buffer.concat(part._headersLines), part.parentNode, problems);
      part._headersLines = [header];
      part._headerlen = header.length;
      if (rest.length > 0) rests.set(part, rest);
    }
    parseHeaders();
    const boundary = boundaryOf(part);
    if (boundary !== null) seen(boundary);
  };
}

function readPartHeader(
  bytes: Uint8Array,
  parent: Part | false,
  problems: ProblemList,
): { readonly header: Uint8Array; readonly rest: Uint8Array } {
  const { fields, trailing, hasEmptyLine, problems: ofHeader } = readHeader(bytes);
  const found = createProblemList(ofHeader);
  mimeHeader({ fields }, found);
  if (found.list().length > 0)
    problems.add('malformed-mime', 'the header of a part is not made of whole header fields');
  const rest = trailing.length === 0 ? trailing : Buffer.concat([trailing, Buffer.from(hasEmptyLine ? '\r\n' : '')]);
  const lines = fields.filter(({ name }) => /^content-/i.test(name)).map(headerLine);
  // RFC 2046 §5.1.5: what a digest holds are messages, unless they say otherwise.
  const isMessage =
    parent !== false && parent.multipart === 'digest' && !fields.some(({ name }) => /^content-type$/i.test(name));
  if (isMessage) lines.push(Buffer.from('Content-Type: message/rfc822\r\n'));
  return { header: Buffer.concat([...lines, Buffer.from('\r\n')]), rest };
}

function headerLine(field: HeaderField): Buffer {
  const { name } = field;
  const value = Buffer.from(fieldValue(field));
  const isBare = /^content-(?:type|transfer-encoding)$/i.test(name);
  const bare = isBare ? Buffer.from(withoutComments(value.toString('latin1')), 'latin1') : value;
  return Buffer.concat([Buffer.from(`${name}:`), bare, Buffer.from('\r\n')]);
}
