// The examples of docs/testing.md as files of an app, and the app that they test: it sends a mail with a code and a link to whoever
// signs up, over the SMTP server it is told of.
import { readFileSync } from 'node:fs';
import { blocksOf } from '#test/docs/read-docs.ts';

const app = `import { createServer } from 'node:http';
import { createTransport } from 'nodemailer';

export async function startApp({ smtp }) {
  const transport = createTransport(smtp);
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://app');
    response.setHeader('content-type', 'text/html');
    if (pathname === '/confirm') return response.end('<h1>Welcome</h1>');
    const email = searchParams.get('email');
    if (email === null) return response.end('<form><label>E-mail <input name="email"></label><button>Sign up</button></form>');
    const confirm = 'http://127.0.0.1:' + server.address().port + '/confirm?code=482913';
    const html = '<p>Your code is <b>482913</b>. <a href="' + confirm + '">Confirm</a></p>';
    const attachments = [{ filename: 'terms.pdf', content: '%PDF-1.7' }];
    await transport.sendMail({ from: 'app@shop.example', to: email, subject: 'Confirm your address', html, attachments });
    response.end('<p>Look into your mailbox</p>');
  });
  await new Promise((resolve) => server.listen(Number(process.env.APP_PORT ?? 0), '127.0.0.1', resolve));
  const url = 'http://127.0.0.1:' + server.address().port;
  return { url, signUp: (email) => fetch(url + '/?email=' + encodeURIComponent(email)), close: () => server.close() };
}

if (process.env.SMTP_URL) await startApp({ smtp: process.env.SMTP_URL });
`;
const types = `export declare function startApp(options: { smtp: string }): Promise<{
  url: string;
  signUp(email: string): Promise<Response>;
  close(): void;
}>;
`;

/** By path. An example begins with a comment that names its file. */
export function testingExamples(): Readonly<Record<string, string>> {
  const page = readFileSync(new URL('../../../docs/testing.md', import.meta.url), 'utf8');
  const files = blocksOf(page).flatMap(({ lines }) => {
    const file = /^\/\/ (\S+\.ts)$/.exec(lines[0] ?? '')?.[1];
    return file === undefined ? [] : [[file, lines.join('\n')]];
  });
  return { ...Object.fromEntries(files), 'app.js': app, 'app.d.ts': types };
}
