// Reads a header section of any size in linear time and little memory: how big it is, where it ends, and the few fields
// that judging needs to know before a verifier may see the rest (RFC 5322 §2.2, tolerant of bare LF).

/** A field that was kept: its name in lower case, where it starts, its text (latin1, a character a byte), cut at a cap. */
export type ScannedField = {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly text: string;
};

/** What a scan found: the fields it kept, and how long the header section is in bytes and lines. */
export type ScannedHeader = {
  readonly fields: readonly ScannedField[];
  readonly bytes: number;
  readonly lines: number;
};

/** A scan under way. */
export type HeaderScan = {
  /** Takes the next bytes; answers how many of them belong to the header, once its end is among them, else null. */
  readonly push: (chunk: Uint8Array) => number | null;
  readonly result: () => ScannedHeader;
};

/** As many DKIM-Signature fields are kept of a message. */
export const keptSignatures = 1_000;

/** How many fields of a name are kept: a flood of one cannot push another out. */
const keptFields: Readonly<Record<string, number>> = {
  from: 20,
  'dkim-signature': keptSignatures,
  'arc-seal': 100,
  'arc-message-signature': 100,
};
const maxFieldText = 32_768;
const maxKeptText = 4_194_304;
const maxLine = 32_768;

/** A scan at the start of a message. */
export function scanHeader(): HeaderScan {
  const fields: { name: string; offset: number; bytes: number; text: string }[] = [];
  const counts = new Map<string, number>();
  let keptText = 0;
  let line = '';
  let lineBytes = 0;
  let bytes = 0;
  let lines = 0;
  let open: (typeof fields)[number] | null = null;

  const startField = (): void => {
    const name = /^([!-9;-~]+)[ \t]*(?::|\r?\n?$)/.exec(line)?.[1]?.toLowerCase() ?? '';
    open = null;
    const count = counts.get(name) ?? 0;
    if (count >= (Object.hasOwn(keptFields, name) ? (keptFields[name] ?? 0) : 0)) return;
    counts.set(name, count + 1);
    open = { name, offset: bytes, bytes: 0, text: '' };
    fields.push(open);
  };
  /** Closes the line read so far; says whether it was the empty one behind the header. */
  const endLine = (): boolean => {
    const isEnd = line === '\n' || line === '\r\n';
    if (!isEnd && !/^[ \t]/.test(line)) startField();
    if (open !== null && !isEnd) {
      open.bytes += lineBytes;
      const before = open.text.length;
      const isKept = before < maxFieldText && (keptText < maxKeptText || open.name === 'from');
      if (isKept) open.text = (open.text + line).slice(0, maxFieldText);
      keptText += open.text.length - before;
    }
    bytes += lineBytes;
    lines += 1;
    line = '';
    lineBytes = 0;
    return isEnd;
  };
  const push = (chunk: Uint8Array): number | null => {
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    for (let at = 0; at < text.length; ) {
      const found = text.indexOf('\n', at);
      const end = found < 0 ? text.length : found + 1;
      lineBytes += end - at;
      if (line.length < maxLine) line += text.slice(at, Math.min(end, at + maxLine));
      at = end;
      if (found >= 0 && endLine()) return at;
    }
    return null;
  };
  return { push, result: () => ({ fields, bytes: bytes + lineBytes, lines: lines + (lineBytes > 0 ? 1 : 0) }) };
}
