// The bodies of requests: JSON, read only for the few routes that take one, bounded each by its route and all together, so that
// nobody fills the memory with what they do not finish sending.
import type { IncomingMessage } from 'node:http';
import { type Answer, closing, refusal, withHeaders } from '#ops/api/answer.ts';
import type { ReadJson } from '#ops/api/use-case.ts';

export type RequestBodies = {
  /** Reads the body of this request, once. Refusals: 413, 415, 400, and 503 if others are being read already. */
  readonly reader: (request: IncomingMessage) => ReadJson;
};

/** What all bodies that are being read may have together (bytes). */
const maxHeldBytes = 134_217_728;

/** A length of zero, as some clients send with POST, is no body. `trifle`: `{}` at most, which others send where none is needed. */
export function bodyOf({ headers }: Pick<IncomingMessage, 'headers'>): 'none' | 'trifle' | 'some' {
  const bytes = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : Number.NaN;
  if (bytes === 0) return 'none';
  return bytes <= 2 ? 'trifle' : 'some';
}

/** None is being read yet. */
export function createRequestBodies(mostBytes = maxHeldBytes): RequestBodies {
  let held = 0;
  return {
    reader: (request) => async (maxBytes) => {
      if (!isJson(request))
        return closing(refusal(415, 'json-needed', 'the body is JSON: content-type application/json'));
      const declared = request.headers['content-length'];
      const bytes = declared === undefined ? maxBytes : Number(declared);
      if (bytes > maxBytes) return closing(tooLarge(maxBytes));
      if (held + bytes > mostBytes) return closing(comeLater());
      held += bytes;
      try {
        const text = await readText(request, maxBytes);
        return text === null ? closing(tooLarge(maxBytes)) : parse(text);
      } finally {
        held -= bytes;
      }
    },
  };
}

/**
 * No form of a web page can send this type or none, nor a script of another origin without asking first or saying where it is from (the
 * guard says no to both).
 */
function isJson({ headers }: IncomingMessage): boolean {
  return /^application\/json *(?:;|$)/i.test(headers['content-type'] ?? 'application/json');
}

/** Null if it is larger: the rest is not looked at. Rejects if the client goes before its end. */
async function readText(request: IncomingMessage, maxBytes: number): Promise<string | null> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    bytes += piece.length;
    if (bytes > maxBytes) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parse(text: string): { readonly json: unknown } | Answer {
  try {
    return { json: JSON.parse(text) };
  } catch {
    return refusal(400, 'bad-json', 'the body is not JSON');
  }
}

function tooLarge(maxBytes: number): Answer {
  return refusal(413, 'body-too-large', `the body has at most ${maxBytes} bytes here`, { maxBytes });
}

function comeLater(): Answer {
  return withHeaders(refusal(503, 'busy', 'too many large requests are being read already'), { 'retry-after': '1' });
}
