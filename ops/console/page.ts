// The page: a few files read once at start, served with a policy under which only they run. They build what they show
// from text nodes alone; a message's HTML is in a sandboxed frame (show-message.ts).
import { readFile } from 'node:fs/promises';
import type { Answer } from '#ops/api/answer.ts';

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

const files = [
  { path: '/', file: 'page.html', contentType: 'text/html; charset=utf-8' },
  { path: '/page.css', file: 'page.css', contentType: 'text/css; charset=utf-8' },
  ...['', '-activity', '-dom', '-events', '-list', '-mail', '-place', '-text', '-work'].map((name) => {
    const file = `page${name}.js`;
    return { path: `/${file}`, file, contentType: 'text/javascript; charset=utf-8' };
  }),
];

/** Reads the page's files; answers a path of it, or null for every other path. */
export async function loadPage(): Promise<(pathname: string) => Answer | null> {
  const answers = new Map<string, Answer>();
  for (const { path, file, contentType } of files) {
    const body = await readFile(new URL(file, import.meta.url));
    answers.set(path, {
      status: 200,
      headers: { 'content-type': contentType, 'content-security-policy': pagePolicy },
      body,
    });
  }
  return (pathname) => answers.get(pathname) ?? null;
}
