// What a handler of the ops API answers: a status, headers, a body. Refusals are values with a code for programs and a
// sentence for people; the server alone turns them into HTTP.

/** An answer. A body that is iterated is streamed, with `bytes` as its Content-Length. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly bytes?: number;
  /** The connection is not used again: what else comes over it was not read. */
  readonly closes?: boolean;
};

/** An answer in JSON. */
export function json(body: unknown, status = 200): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: `${JSON.stringify(body, null, 2)}\n`,
  };
}

/** A refusal: `{"error": {"code", "message", …more}}`. */
export function refusal(
  status: number,
  code: string,
  message: string,
  more: Readonly<Record<string, unknown>> = {},
): Answer {
  return json({ error: { code, message, ...more } }, status);
}

/** 400: a query parameter or a part of the path is wrong; the message says what was expected there. */
export function badParameter(parameter: string, expected: string): Answer {
  return refusal(400, 'bad-parameter', `${parameter}: expected ${expected}`, { parameter });
}

/** Says whether a value is an Answer, where a parser answers either the parsed thing or a refusal. */
export function isAnswer(value: unknown): value is Answer {
  return typeof value === 'object' && value !== null && 'status' in value && 'headers' in value && 'body' in value;
}
