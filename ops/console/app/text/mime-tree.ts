// The structure of a message as its MIME headers declare it (RFC 2046 §5.1), to look at. Reading a message is the parse
// stage's; this only draws the tree, of as much of the message as it is given.

/** `bytes`: of the part's body as it is encoded. `type` as declared, `text/plain` where nothing is. */
export type MimePart = {
  readonly type: string;
  readonly filename: string | null;
  readonly disposition: string | null;
  readonly encoding: string | null;
  readonly charset: string | null;
  readonly bytes: number;
  readonly parts: readonly MimePart[];
};

const maxDepth = 30;
const maxParts = 500;

/** `raw`: the message with a character for each octet. */
export function mimeTree(raw: string): MimePart {
  return readPart(raw, { depth: 0, left: { parts: maxParts } });
}

type Bounds = { readonly depth: number; readonly left: { parts: number } };

function readPart(raw: string, { depth, left }: Bounds): MimePart {
  left.parts -= 1;
  const [header, body] = split(raw);
  const contentType = fieldOf(header, 'content-type');
  const type = /^[^;\s]+/.exec(contentType)?.[0]?.toLowerCase() ?? 'text/plain';
  const disposition = fieldOf(header, 'content-disposition');
  const boundary = type.startsWith('multipart/') ? parameterOf(contentType, 'boundary') : null;
  const inner =
    depth >= maxDepth ? [] : boundary !== null ? partsOf(body, boundary) : type === 'message/rfc822' ? [body] : [];
  const parts: MimePart[] = [];
  for (const text of inner) if (left.parts > 0) parts.push(readPart(text, { depth: depth + 1, left }));
  return {
    type,
    filename: parameterOf(disposition, 'filename') ?? parameterOf(contentType, 'name'),
    disposition: /^[^;\s]+/.exec(disposition)?.[0]?.toLowerCase() ?? null,
    encoding: fieldOf(header, 'content-transfer-encoding').toLowerCase() || null,
    charset: parameterOf(contentType, 'charset'),
    bytes: body.length,
    parts,
  };
}

function split(raw: string): readonly [string, string] {
  if (/^\r?\n/.test(raw)) return ['', raw.replace(/^\r?\n/, '')];
  const end = /\r?\n\r?\n/.exec(raw);
  return end === null ? [raw, ''] : [raw.slice(0, end.index), raw.slice(end.index + end[0].length)];
}

function partsOf(body: string, boundary: string): readonly string[] {
  const parts: string[] = [];
  let start = -1;
  for (let at = 0; at <= body.length; ) {
    const end = body.indexOf('\n', at);
    const next = end < 0 ? body.length + 1 : end + 1;
    const line = body.slice(at, next).trimEnd();
    const isEnd = line === `--${boundary}--`;
    if (line === `--${boundary}` || isEnd) {
      if (start >= 0) parts.push(body.slice(start, at).replace(/\r?\n$/, ''));
      start = isEnd ? -1 : next;
      if (isEnd) break;
    }
    at = next;
  }
  if (start >= 0 && start < body.length) parts.push(body.slice(start)); // its end is missing
  return parts;
}

function fieldOf(header: string, name: string): string {
  const field = new RegExp(`(?:^|\\n)${name}[ \\t]*:((?:[^\\n]|\\n[ \\t])*)`, 'i').exec(header)?.[1] ?? '';
  return field.replace(/\r?\n/g, '').trim();
}

/** Also one in pieces (RFC 2231 §3): they are put together, and percent signs decoded. */
function parameterOf(field: string, name: string): string | null {
  const found = [...field.matchAll(new RegExp(`;[ \\t]*${name}(?:\\*(\\d+))?(\\*?)=(?:"([^"]*)"|([^;\\s]*))`, 'gi'))];
  if (found.length === 0) return null;
  return found
    .toSorted((one, other) => Number(one[1] ?? 0) - Number(other[1] ?? 0))
    .map(([, , star, quoted, plain]) => (star === '*' ? percentDecoded(plain ?? '') : (quoted ?? plain ?? '')))
    .join('');
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replace(/^[^']*'[^']*'/, ''));
  } catch {
    return text;
  }
}
