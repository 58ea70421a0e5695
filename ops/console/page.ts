// The page: the files beside this one, read once at start, and served with a policy under which only they run. They show
// text nodes only; a message's HTML is in a sandboxed frame.
import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Route } from '#ops/api/routes.ts';

const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const contentTypes = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
]);

/** A route for each file: `/` for the HTML, for others `/` and their name. */
export async function loadPage(): Promise<readonly Route<unknown>[]> {
  const folder = new URL('./', import.meta.url);
  const files = (await readdir(folder)).flatMap((file) => {
    const type = contentTypes.get(extname(file));
    return type === undefined ? [] : [{ file, type }];
  });
  return Promise.all(
    files.map(async ({ file, type }) => pageFile(file, type, await readFile(new URL(file, folder), 'utf8'))),
  );
}

function pageFile(file: string, contentType: string, body: string): Route<unknown> {
  const headers = { 'content-type': contentType, 'content-security-policy': pagePolicy };
  const answer = () => ({ status: 200, headers, body });
  const does = { about: null, takes: null, gives: contentType, status: 200, answer };
  return { at: `GET /${file === 'page.html' ? '' : file}`, does };
}
