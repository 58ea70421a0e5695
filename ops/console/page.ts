// The console's files as routes, served with a policy under which only they run. The page puts senders' texts into the
// document as text; a message's HTML is in a sandboxed frame.
import { extname } from 'node:path';
import type { Route } from '#ops/api/route.ts';

/** A file as it was bundled; `name` without a folder. */
export type ConsoleFile = { readonly name: string; readonly body: string };

const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const contentTypes = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.json', 'application/json; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.txt', 'text/plain; charset=utf-8'],
]);

/** `/` for the HTML, for others `/` and their name. */
export function consoleRoutes(files: readonly ConsoleFile[]): readonly Route<unknown>[] {
  return files.flatMap(({ name, body }) => {
    const contentType = contentTypes.get(extname(name));
    return contentType === undefined ? [] : [fileRoute(name, contentType, body)];
  });
}

function fileRoute(name: string, contentType: string, body: string): Route<unknown> {
  const headers = {
    'content-type': contentType,
    'content-security-policy': pagePolicy,
    ...(isNamedByContent(name) ? { 'cache-control': 'private, max-age=31536000, immutable' } : {}),
  };
  const answer = () => ({ status: 200, headers, body });
  const does = { about: null, takes: null, gives: contentType, status: 200, answer };
  return { at: `GET /${name === 'index.html' ? '' : name}`, does };
}

/** What is in it never changes. */
function isNamedByContent(name: string): boolean {
  return /-[A-Z0-9]{8}\.(?:js|css)$/.test(name);
}
