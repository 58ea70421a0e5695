// What a server of the ops API answers, as `fetch` gives it.
import { apiHeader, apiVersion } from '#ops/api/api-version.ts';

/** `body`: JSON, or a stream. */
export function opsAnswer(body: unknown, status = 200): Response {
  const headers = { [apiHeader]: apiVersion };
  return body instanceof ReadableStream
    ? new Response(body, { status, headers })
    : Response.json(body, { status, headers });
}
