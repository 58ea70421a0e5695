// A shell in which the commands of a page run as they are written. `npx` and `pillarbox` in it hand their arguments to this process, which
// runs the command line without a process of its own: a tenth of the time. All else is the real program.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { ConfigInput } from '#pipeline/config/config.ts';
import { type RanPillarbox, runInProcess } from '#test/support/worlds/run-pillarbox.ts';
import { home } from './read-docs.ts';

/** Arguments, standard input, folder and region as fields of a form; what was printed comes back. */
const shim = `#!/bin/sh
[ "$(basename "$0")" = npx ] && { [ "$1" = pillarbox ] || exit 127; shift; }
for argument; do shift; set -- "$@" --form-string "argument=$argument"; done
exec curl -sS -f --unix-socket "$DOCS_SOCKET" "$@" --form-string "directory=$PWD" \\
  --form-string "region=\${AWS_REGION-}" -F 'input=<-' http://docs/
`;

export type ShellPlaces = { readonly endpoint: string; readonly mxPort: number; readonly data: string };
export type DocsShell = Awaited<ReturnType<typeof openDocsShell>>;

/** `data`: the local server's data folder, which each page finds as `.pillarbox`. */
export async function openDocsShell({ endpoint, mxPort, data }: ShellPlaces) {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-docs-'));
  for (const name of ['npx', 'pillarbox']) {
    writeFileSync(join(folder, name), shim);
    chmodSync(join(folder, name), 0o755);
  }
  const ran: RanPillarbox[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const headers = { 'content-type': request.headers['content-type'] ?? '' };
    const form = await new Response(Readable.toWeb(request) as ReadableStream, { headers }).formData();
    const args = form.getAll('argument').map(String);
    const more = [
      ...(args.includes('--stack') ? ['--endpoint', endpoint] : []),
      ...(args[0] === 'send' && !args.includes('--server') ? ['--server', `127.0.0.1:${mxPort}`] : []),
    ];
    const input = Buffer.from(String(form.get('input')));
    const result = await runInProcess([...args, ...more], {
      directory: String(form.get('directory')),
      environment: { AWS_REGION: String(form.get('region')) },
      readInput: async () => input,
      askSecretly: input.length === 0 ? async () => 'correct horse battery staple' : null,
      editFile: async (path) =>
        writeFileSync(path, readFileSync(path, 'utf8').replace('"support"', '"support", "sales"')),
    });
    ran.push(result);
    response.writeHead(result.code === 0 ? 200 : 400).end(result.out);
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(join(folder, 'socket'));
  await once(server, 'listening');
  return {
    /** A folder for the commands of one page. `region`: what its reader has exported before; `config`: the `pillarbox.json` in it. */
    openPage: ({ region, config }: { readonly region: string | null; readonly config: ConfigInput | null }) => {
      const page = mkdtempSync(join(folder, 'page-'));
      symlinkSync(data, join(page, '.pillarbox'));
      symlinkSync(join(home, 'README.md'), join(page, 'README.md'));
      const state = join(page, '.state');
      if (region !== null) writeFileSync(state, `export AWS_REGION=${region}\n`);
      if (config !== null) writeFileSync(join(page, 'pillarbox.json'), JSON.stringify(config));
      const env = {
        PATH: `${folder}:${process.env['PATH']}`,
        HOME: page,
        DOCS_SOCKET: join(folder, 'socket'),
        STATE: state,
      };
      return {
        folder: page,
        /** What it exports is there for the next command. `cli`: the command lines that it ran. */
        run: async (command: string) => {
          ran.splice(0);
          const script = `${existsSync(state) ? '. "$STATE"\n' : ''}${command}\ncode=$?; export -p > "$STATE"; exit $code`;
          const child = promisify(execFile)('sh', ['-c', script], { cwd: page, env });
          child.child.stdin?.end();
          const done = await child.then(
            ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
            ({ code, stdout, stderr }) => ({ code, out: stdout, err: stderr }),
          );
          return { ...done, cli: [...ran] };
        },
      };
    },
    close: () => {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
