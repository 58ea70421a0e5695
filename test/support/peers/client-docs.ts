// docs/clients.md: the set-ups, and what came of them. The page is made of what a test saw, so that it cannot promise more.
import { type ClientSetUp, filled } from './client-set-ups.ts';

/** A set-up, and in which ways (`with` a login, `without`) its mail arrived. */
export type SeenSetUp = { readonly setUp: ClientSetUp; readonly works: readonly string[] };

/** The whole page. */
export function clientDocs(seen: readonly SeenSetUp[]): string {
  const rows = seen.map(({ setUp, works }) => {
    const cell = (how: string): string => (works.includes(how) ? 'works' : 'fails');
    return [setUp.client, setUp.settings || 'its defaults', cell('without'), cell('with')];
  });
  return `# Mail programs and libraries

Point any mail program at a capture server: \`npx pillarbox\` without a configuration, host \`127.0.0.1\`, port \`2525\`. It needs to be
told nothing else. Every recipient is accepted, nothing is passed on, the mail is on <http://127.0.0.1:8025/>.

On ports that only this machine can reach, capture mode

- takes mail without a login, and with any: PLAIN, LOGIN and CRAM-MD5, in clear, any name, any password. The name is shown with the
  message (\`session.user\`), the password is kept nowhere. Users of the configuration (\`users\`) are held to their passwords.
- offers no STARTTLS, unless \`tls\` has a certificate: a program that sees STARTTLS uses it, and then stumbles over a self-signed one.
  Port 2587 is like 2525; 2465 is TLS from the first byte, with a self-signed certificate where \`tls\` has none.

Bound to another address than loopback, or in mode \`serve\`, the usual rules hold: STARTTLS, a password only under TLS and only on
the submission ports. There the same set-ups need the hostname that the certificate is for, port 587 or 465, and a user.

## What was tried

Made by a test (\`npm run docs:clients\`): each was run with host and port alone, and its mail arrived, or did not.

${markdownTable(['client', 'set besides host and port', 'without a login', 'with a login'], rows)}

msmtp's \`auth on\` picks no method without TLS, whatever a server offers: it has to be named.

## To copy

Leave out the lines that say "with a login" where there is none.

${seen.map(({ setUp }) => section(setUp)).join('\n\n')}
`;
}

function section(setUp: ClientSetUp): string {
  const title = setUp.settings === '' ? setUp.client : `${setUp.client}, ${setUp.settings}`;
  const texts = setUp.language === 'sh' ? [setUp.withoutLogin, setUp.withLogin] : [setUp.withLogin];
  const code = texts.map((text) => filled(text, { port: 2525, subject: 'Hello' })).join('\n');
  return `### ${title}\n\n\`\`\`${setUp.language}\n${code}\n\`\`\``;
}

/** A table as the formatter leaves it. */
export function markdownTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, n) => Math.max(head.length, ...rows.map((row) => row[n]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join(' | ')} |`;
  return [line(heads), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n');
}
