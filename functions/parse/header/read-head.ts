// Cuts a message's header off its body while it streams in, whatever its size: the fields in order, and apart from
// them the few that say what the body is, which the MIME parser is given in place of the whole header.
// The header ends at the first empty line, or before the first line that is neither field nor fold (as Postfix does).
import { limits } from '#functions/parse/limits.ts';
import { createProblemList, type ProblemList } from '#functions/parse/problems.ts';
import { withoutComments } from './without-comments.ts';

/** A field as it was received; `raw` is all that follows the colon, folds included, without the last line break. */
export type HeaderField = { readonly name: string; readonly raw: Uint8Array };

export type Head = {
  readonly fields: readonly HeaderField[];
  /** The fields about the body as a header of their own, the empty line at its end included. */
  readonly mime: Uint8Array;
  /** The first bytes of the body, as far as they had come. */
  readonly rest: Uint8Array;
};

type Field = { readonly name: string; readonly pieces: Buffer[]; bytes: number; readonly kept: boolean };
type State = {
  readonly fields: Field[];
  /** The field that folds continue, and which of the fields about the body have come. */
  current: Field | null;
  readonly mimeNames: Set<string>;
  readonly line: Buffer[];
  lineBytes: number;
  keptBytes: number;
  readonly problems: ProblemList;
};

const lineFeed = 0x0a;
const mimeField = /^content-(type|transfer-encoding|disposition|id)$/i;

/** Makes a reader: `push` answers null until the header has ended; `finish` ends it where the message does. */
export function createHeadReader(problems: ProblemList = createProblemList()): {
  readonly push: (chunk: Uint8Array) => Head | null;
  readonly finish: () => Head;
} {
  const state: State = {
    fields: [],
    current: null,
    mimeNames: new Set(),
    line: [],
    lineBytes: 0,
    keptBytes: 0,
    problems,
  };
  const push = (chunk: Uint8Array): Head | null => {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    while (start < bytes.length) {
      const found = bytes.indexOf(lineFeed, start);
      const end = found < 0 ? bytes.length : found + 1;
      takePiece(state, bytes.subarray(start, end));
      start = end;
      if (found < 0) return null;
      const body = endLine(state);
      if (body !== null) return toHead(state, Buffer.concat([body, bytes.subarray(start)]));
    }
    return null;
  };
  const finish = (): Head => toHead(state, (state.lineBytes > 0 ? endLine(state) : null) ?? Buffer.alloc(0));
  return { push, finish };
}

/** Adds to the line being read; what exceeds the limit for a whole header is dropped. */
function takePiece(state: State, piece: Buffer): void {
  const room = limits.headBytes - state.lineBytes;
  if (piece.length > room) state.problems.add('header-too-large');
  const taken = piece.subarray(0, Math.max(0, room));
  state.line.push(taken);
  state.lineBytes += taken.length;
}

/** Takes a whole line in; answers where the header ends: with the bytes of it that belong to the body. */
function endLine(state: State): Buffer | null {
  const line = Buffer.concat(state.line);
  state.line.length = 0;
  state.lineBytes = 0;
  if (line.length <= 2 && (line[0] === lineFeed || (line[0] === 0x0d && line[1] === lineFeed))) return Buffer.alloc(0);
  if ((line[0] === 0x20 || line[0] === 0x09) && state.current !== null) {
    addTo(state, state.current, line);
    return null;
  }
  const colon = line.indexOf(0x3a);
  const name = colon < 0 ? '' : line.toString('latin1', 0, colon).trimEnd();
  if (!/^[!-9;-~]{1,998}$/.test(name)) {
    state.problems.add('malformed-header');
    const isMailboxSeparator = state.fields.length <= 1 && /^>?From /.test(line.toString('latin1', 0, 6));
    return isMailboxSeparator ? null : line;
  }
  startField(state, name, line.subarray(colon + 1));
  return null;
}

function startField(state: State, name: string, value: Buffer): void {
  const lowerName = name.toLowerCase();
  const isMime = mimeField.test(name) && !state.mimeNames.has(lowerName);
  if (isMime) state.mimeNames.add(lowerName);
  const kept = state.keptBytes + name.length + value.length <= limits.headBytes;
  if (!kept) state.problems.add('header-too-large');
  state.current = { name, pieces: [], bytes: 0, kept };
  if (kept || isMime) state.fields.push(state.current);
  addTo(state, state.current, value);
}

function addTo(state: State, field: Field, piece: Buffer): void {
  const room = field.kept ? limits.headBytes - state.keptBytes : limits.mimeFieldBytes - field.bytes;
  const taken = piece.subarray(0, Math.max(0, room));
  if (taken.length < piece.length) state.problems.add('header-too-large');
  field.pieces.push(Buffer.from(taken));
  field.bytes += taken.length;
  if (field.kept) state.keptBytes += field.name.length + taken.length;
}

function toHead(state: State, rest: Uint8Array): Head {
  const fields = state.fields
    .filter(({ kept }) => kept)
    .map(({ name, pieces }) => ({ name, raw: withoutLineEnd(Buffer.concat(pieces)) }));
  return { fields, mime: mimeHeader(state), rest };
}

function mimeHeader(state: State): Buffer {
  const lines: Buffer[] = [];
  for (const name of ['content-type', 'content-transfer-encoding', 'content-disposition', 'content-id']) {
    const field = state.fields.find((candidate) => candidate.name.toLowerCase() === name);
    if (field === undefined) continue;
    const value = withoutLineEnd(Buffer.concat(field.pieces));
    if (value.length > limits.mimeFieldBytes) state.problems.add('malformed-mime', `the field ${name} is too long`);
    lines.push(Buffer.from(`${name}:`), readable(name, value.subarray(0, limits.mimeFieldBytes), state.problems));
    lines.push(Buffer.from('\r\n'));
  }
  return Buffer.concat([...lines, Buffer.from('\r\n')]);
}

/**
 * A multipart that names no boundary has no parts that could be found, and a type that is none says nothing: both
 * bodies are read as plain text (RFC 2045 §5.2).
 */
function readable(name: string, value: Buffer, problems: ProblemList): Buffer {
  if (name !== 'content-type' && name !== 'content-transfer-encoding') return value;
  const text = withoutComments(value.toString('latin1'));
  if (name !== 'content-type') return Buffer.from(text, 'latin1');
  if (text.trim() === '') return value;
  if (!/^\s*[^\s;/]+\s*\/\s*[^\s;/]+\s*(;|$|\()/.test(text)) {
    problems.add('malformed-content-type', 'the message has a type that is not a media type: it is read as text');
    return Buffer.from(' text/plain');
  }
  if (!/^\s*multipart\s*\//i.test(text) || /boundary\s*(?:\*0?\*?)?\s*=\s*(?:"\s*[^"\s]|[^"\s;])/i.test(text))
    return Buffer.from(text, 'latin1');
  problems.add('malformed-mime', 'a multipart without a boundary: its body is given as text');
  return Buffer.from(' text/plain');
}

function withoutLineEnd(bytes: Buffer): Buffer {
  const end = bytes.length - (bytes.at(-1) === lineFeed ? (bytes.at(-2) === 0x0d ? 2 : 1) : 0);
  return bytes.subarray(0, end);
}
