// The one reading of a header: every stage has its fields from here. Streaming, linear, bounded. RFC 5322 §2.2.
//
// 1. A line ends at CRLF, at a bare LF or at a bare CR: so CR CR LF is an empty line.
// 2. The header ends at the first empty line, or where the message does.
// 3. A line that begins with a space or a tab continues the field above it.
// 4. A field is a name of visible ASCII characters and a colon; blanks before the colon are allowed (§4.5). Any other line
//    is passed over with its folds, and fields go on behind it: some programs show them, so nobody may hide one there.
// 5. The author is doubtful if programs may see an author field that is not among the fields: if a line that is passed over
//    reads like one (`From<VT>:`, ` From:` at the top, `>From:`) or stands behind one (some programs read on there), if there
//    is a bare CR or a NUL (some programs end a line there or drop it, others do not), or if the header is over a limit.
//
// docs/reading.md says why, and what programs that read mail show.
import { fieldName, isAuthorName, readsLikeAuthor } from './field-name.ts';
import type { HeaderField } from './header-fields.ts';

/** Something wrong with a header: the word that the inbox message has for it, and a sentence for people. */
export type HeaderProblem = {
  readonly code: 'header-too-large' | 'malformed-header';
  readonly detail: string;
  /** If programs may show another author than the fields do. */
  readonly isAuthorDoubtful: boolean;
};

/** A header, read to its end. Offsets are octets from the beginning of the message. */
export type Header = {
  readonly fields: readonly HeaderField[];
  /** What some programs take for an author field, or for a part of the one above it. */
  readonly lookalikes: readonly HeaderField[];
  /** The lines between the last field and the end that are no fields: to some programs the body begins with them. */
  readonly trailing: Uint8Array;
  /** Where the empty line begins, and where the body does; both are the end of the message if there is no empty line. */
  readonly fieldsEnd: number;
  readonly bodyOffset: number;
  readonly hasEmptyLine: boolean;
  readonly lines: number;
  /** If authors may be shown who were not read: a field was cut or left out, or the header goes on for those who end no line at CR. */
  readonly isAuthorHidden: boolean;
  readonly problems: readonly HeaderProblem[];
};

/**
 * How much of a header is kept: octets of all fields, fields, octets of one field. What is over is left out or cut, and counted.
 * Author fields and those that describe the body have as many octets, and a thousand fields, of their own.
 */
export type HeaderLimits = {
  readonly headerBytes: number;
  readonly fields: number;
  readonly fieldBytes: number;
  /** If given, only fields with such names are kept (a line that is no field has the name ''), and nothing else is looked for. */
  readonly wanted?: RegExp;
};

/** Reads one header. `push` answers null until the header has ended, `finish` ends it where the message does. */
export type HeaderReader = {
  readonly push: (chunk: Uint8Array) => Header | null;
  readonly finish: () => Header;
  /** The fields read so far. */
  readonly fields: readonly HeaderField[];
  /** The same, and lets go of them: for a caller that needs little of many. */
  readonly take: () => readonly HeaderField[];
};

/** The limits of every stage that judges or shows a message. */
export const headerLimits: HeaderLimits = { headerBytes: 1_048_576, fields: 10_000, fieldBytes: 524_288 };

const [TAB, LF, CR, SPACE] = [0x09, 0x0a, 0x0d, 0x20];
const essentialField = /^content-(?:type|transfer-encoding|disposition|id)$/i;
const maxEssentialFields = 1_000;
const maxLookalikes = 100;

/** A line with its folds, from one index of a buffer to another; not known yet to be a field. */
type Unnamed = Pick<HeaderField, 'offset' | 'bytes'> & {
  readonly source: Buffer;
  readonly from: number;
  readonly to: number;
};

type State = {
  readonly limits: HeaderLimits;
  readonly fields: HeaderField[];
  readonly lookalikes: HeaderField[];
  trailing: Buffer[];
  trailingBytes: number;
  /** Octets taken in with earlier chunks. */
  taken: number;
  /** Where the field being read begins, or -1; what earlier chunks held of it. */
  fieldOffset: number;
  held: Buffer;
  heldBytes: number;
  /** Where the line begins that is being read; nothing of it was seen yet; its CR was the last octet. */
  lineOffset: number;
  isLineStart: boolean;
  isAfterCr: boolean;
  isAfterBareCr: boolean;
  isAuthorHidden: boolean;
  isAfterAuthor: boolean;
  lines: number;
  keptBytes: number;
  readonly counts: Record<'essential' | 'passedOver' | 'dropped' | 'cut' | 'bareCr' | 'nul', number>;
};

/** Makes a reader at the first octet of a message. */
export function createHeaderReader(limits: HeaderLimits = headerLimits): HeaderReader {
  const state: State = {
    limits,
    fields: [],
    lookalikes: [],
    trailing: [],
    trailingBytes: 0,
    taken: 0,
    fieldOffset: -1,
    held: Buffer.alloc(0),
    heldBytes: 0,
    lineOffset: 0,
    isLineStart: true,
    isAfterCr: false,
    isAfterBareCr: false,
    isAuthorHidden: false,
    isAfterAuthor: false,
    lines: 0,
    keptBytes: 0,
    counts: { essential: 0, passedOver: 0, dropped: 0, cut: 0, bareCr: 0, nul: 0 },
  };
  return {
    push: (chunk) => push(state, chunk),
    finish: () => finish(state),
    fields: state.fields,
    take: () => state.fields.splice(0),
  };
}

/** Reads the header of a message that is there whole, or of as much of its beginning as there is. */
export function readHeader(message: Uint8Array, limits: HeaderLimits = headerLimits): Header {
  const reader = createHeaderReader(limits);
  return reader.push(message) ?? reader.finish();
}

/** Reads the header off a message that comes in chunks; `rest` is what had come of its body by then. */
export async function readHeaderOf(
  chunks: AsyncIterator<Uint8Array>,
): Promise<{ readonly header: Header; readonly rest: Uint8Array }> {
  const reader = createHeaderReader();
  for (let taken = 0; ; ) {
    const next = await chunks.next();
    if (next.done === true) return { header: reader.finish(), rest: new Uint8Array(0) };
    const header = reader.push(next.value);
    if (header !== null) return { header, rest: next.value.subarray(header.bodyOffset - taken) };
    taken += next.value.length;
  }
}

function push(state: State, octets: Uint8Array): Header | null {
  const chunk = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
  for (let at = 0; at < chunk.length; ) {
    const byte = chunk[at] ?? 0;
    if (state.isAfterCr || byte === LF) {
      if (byte === LF) at += 1;
      if (endLine(state, at, byte !== LF)) return end(state, chunk, at);
      continue;
    }
    at += 1;
    if (byte === CR) {
      state.isAfterCr = true;
      continue;
    }
    if (state.isLineStart) startLine(state, chunk, at - 1);
    if (byte === 0) state.counts.nul += 1;
    while (at < chunk.length && (chunk[at] ?? 0) > CR) at += 1;
  }
  hold(state, chunk);
  state.taken += chunk.length;
  return null;
}

function finish(state: State): Header {
  if (state.isAfterCr && endLine(state, 0, true)) return end(state, Buffer.alloc(0), 0);
  if (!state.isLineStart) state.lines += 1;
  state.lineOffset = state.taken;
  closeField(state, Buffer.alloc(0));
  return toHeader(state, { bodyOffset: state.taken, hasEmptyLine: false });
}

/** Behind a line end, at an index of the chunk; true if the line was empty. */
function endLine(state: State, at: number, isBareCr: boolean): boolean {
  state.isAfterCr = false;
  state.lines += 1;
  if (isBareCr) state.counts.bareCr += 1;
  if (state.isLineStart) state.isAuthorHidden ||= isBareCr || state.isAfterBareCr;
  if (state.isLineStart) return true;
  state.isAfterBareCr = isBareCr;
  state.isLineStart = true;
  state.lineOffset = state.taken + at;
  return false;
}

function end(state: State, chunk: Buffer, at: number): Header {
  closeField(state, chunk);
  return toHeader(state, { bodyOffset: state.taken + at, hasEmptyLine: true });
}

/** At the first octet of a line that is not empty: it continues the field above it, or begins another. */
function startLine(state: State, chunk: Buffer, at: number): void {
  state.isLineStart = false;
  const isFold = chunk[at] === SPACE || chunk[at] === TAB;
  if (isFold && state.fieldOffset >= 0) return;
  closeField(state, chunk);
  state.fieldOffset = state.lineOffset;
}

/** Keeps what the chunk has of the field that is being read. */
function hold(state: State, chunk: Buffer): void {
  if (state.fieldOffset < 0) return;
  const from = Math.max(0, state.fieldOffset - state.taken);
  const piece = chunk.subarray(from, from + state.limits.fieldBytes - state.heldBytes);
  if (state.heldBytes + piece.length > state.held.length) {
    const larger = Buffer.allocUnsafe(2 * (state.heldBytes + piece.length));
    state.held.copy(larger, 0, 0, state.heldBytes);
    state.held = larger;
  }
  state.held.set(piece, state.heldBytes);
  state.heldBytes += piece.length;
}

/** The field that is being read ends where the line begins. */
function closeField(state: State, chunk: Buffer): void {
  if (state.fieldOffset < 0) return;
  const offset = state.fieldOffset;
  const bytes = state.lineOffset - offset;
  if (state.heldBytes > 0 && bytes > state.heldBytes) hold(state, chunk.subarray(0, state.lineOffset - state.taken));
  state.fieldOffset = -1;
  const isHeld = state.heldBytes > 0;
  const from = isHeld ? 0 : offset - state.taken;
  const to = from + Math.min(bytes, state.limits.fieldBytes);
  takeField(state, { source: isHeld ? state.held : chunk, from, to, offset, bytes });
  state.heldBytes = 0;
}

function takeField(state: State, { source, from, to, offset, bytes }: Unnamed): void {
  const { wanted, headerBytes, fields } = state.limits;
  const name = fieldName(source, from, to) ?? (wanted === undefined ? null : '');
  if (name !== null && state.trailing.length > 0) state.trailing = [];
  if (wanted?.test(name ?? '') === false) return;
  if (name === null) {
    passOver(state, { raw: Buffer.from(source.subarray(from, to)), offset, bytes });
    return;
  }
  state.isAfterAuthor = isAuthorName(name);
  if (name.startsWith('>') && isAuthorName(name.replace(/^>+/, ''))) {
    addLookalike(state, { name, raw: Buffer.from(source.subarray(from, to)), offset, bytes });
  }
  const isEssential = state.isAfterAuthor || essentialField.test(name);
  const room = (isEssential ? 2 : 1) * headerBytes - state.keptBytes;
  const count = isEssential ? state.counts.essential : state.fields.length - state.counts.essential;
  const isFull = count >= (isEssential ? maxEssentialFields : fields);
  // What does not fit is left out, and smaller fields behind it are read; of an essential one its beginning is.
  const kept = Math.min(to - from, Math.max(0, room));
  state.isAuthorHidden ||= state.isAfterAuthor && (isFull || kept < bytes || source[to - 1] === CR);
  if (isFull || kept <= name.length || (kept < to - from && !isEssential)) {
    state.counts.dropped += 1;
    return;
  }
  state.counts.cut += kept < bytes ? 1 : 0;
  state.counts.essential += isEssential ? 1 : 0;
  state.keptBytes += kept;
  state.fields.push({ name, raw: Buffer.from(source.subarray(from, from + kept)), offset, bytes });
}

/** A line that is no field, with its folds. */
function passOver(state: State, line: Omit<HeaderField, 'name'> & { readonly raw: Buffer }): void {
  state.counts.passedOver += 1;
  const { isAfterAuthor, trailing, fields } = state;
  if (isAfterAuthor || readsLikeAuthor(line.raw, fields.length <= 1)) addLookalike(state, { name: 'From', ...line });
  state.trailingBytes = line.raw.length + (trailing.length === 0 ? 0 : state.trailingBytes);
  if (state.trailingBytes <= state.limits.headerBytes) trailing.push(line.raw);
}

function addLookalike(state: State, field: HeaderField): void {
  const isCut = state.lookalikes.length >= maxLookalikes || field.raw.length < field.bytes;
  state.isAuthorHidden ||= isCut || field.raw.at(-1) === CR;
  if (state.lookalikes.length < maxLookalikes) state.lookalikes.push(field);
}

function toHeader(state: State, where: Pick<Header, 'bodyOffset' | 'hasEmptyLine'>): Header {
  const { fields, lookalikes, lines, isAuthorHidden, lineOffset: fieldsEnd } = state;
  const trailing = Buffer.concat(state.trailing);
  return { fields, lookalikes, trailing, fieldsEnd, lines, isAuthorHidden, ...where, problems: problemsOf(state) };
}

function problemsOf({ counts, lookalikes: { length: alike }, lineOffset, limits }: State): readonly HeaderProblem[] {
  const { passedOver, dropped, cut, bareCr, nul } = counts;
  const size = `the header has ${lineOffset} octets, more than ${limits.headerBytes} or ${limits.fields} fields`;
  const all: [boolean, HeaderProblem['code'], string, boolean][] = [
    [passedOver > 0, 'malformed-header', `lines that are no fields were passed over: ${passedOver}`, false],
    [alike > 0, 'malformed-header', `lines that may be read as author fields or with one: ${alike}`, true],
    [bareCr > 0, 'malformed-header', 'it has a bare CR, which ends a line to some programs and not to others', true],
    [nul > 0, 'malformed-header', 'it has NUL octets, which some programs drop', true],
    [dropped + cut > 0, 'header-too-large', `${size}: ${dropped} fields were left out, ${cut} cut`, true],
  ];
  return all.flatMap(([isSo, code, detail, isAuthorDoubtful]) => (isSo ? [{ code, detail, isAuthorDoubtful }] : []));
}
