// The container as its Dockerfile says: what is copied, by whom it is owned, who runs it, with which command, variables and
// health check. Instructions that are not known here are an error.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, globSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { linesOf } from './run-function.ts';
import { personOf, withoutWriteAccess } from './unpacked.ts';

export type Image = {
  readonly command: readonly string[];
  readonly healthCheck: readonly string[];
  readonly user: string;
  readonly folder: string;
  readonly variables: Readonly<Record<string, string>>;
};

/** Does what the Dockerfile of an asset says, below `root`. */
export function buildImage(asset: string, root: string): Image {
  const text = readFileSync(join(asset, 'Dockerfile'), 'utf8').replaceAll(/\\\n/g, ' ');
  const image = {
    command: [] as string[],
    healthCheck: [] as string[],
    user: '0:0',
    folder: root,
    variables: {} as any,
  };
  for (const line of text.split('\n').filter((one) => !/^\s*(#|$)/.test(one))) {
    const [, instruction = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    if (instruction === 'ENV') Object.assign(image.variables, Object.fromEntries([rest.split('=')]));
    else if (instruction === 'WORKDIR') image.folder = made(join(root, rest));
    else if (instruction === 'COPY') copy(asset, rest, image.folder);
    else if (instruction === 'USER') image.user = rest;
    else if (instruction === 'CMD') image.command = JSON.parse(rest);
    else if (instruction === 'HEALTHCHECK') image.healthCheck = JSON.parse(rest.replace(/^.*?CMD\s+/, ''));
    else if (!['FROM', 'EXPOSE', 'STOPSIGNAL'].includes(instruction)) throw new Error(`Dockerfile: ${line}`);
  }
  withoutWriteAccess(image.folder);
  chmodSync(root, 0o555);
  return image;
}

function made(folder: string): string {
  mkdirSync(folder, { recursive: true });
  return folder;
}

function copy(asset: string, rest: string, to: string): void {
  const [pattern = '', target = ''] = rest.split(/\s+/);
  if (target !== './') throw new Error(`COPY to ${target}`);
  for (const file of globSync(pattern, { cwd: asset })) copyFileSync(join(asset, file), join(to, file));
}

export type RunningContainer = {
  readonly child: ChildProcess;
  readonly lines: readonly string[];
  readonly errors: () => string;
  /** Runs the image's health check; its exit code. */
  readonly checkHealth: () => Promise<number>;
};

/** Runs the image with these variables and no others but its own. Node may write no file: its root is read-only. */
export function runContainer(image: Image, environment: Readonly<Record<string, string>>): RunningContainer {
  const variables = { ...image.variables, ...environment, PATH: dirname(process.execPath) };
  const readOnly = `${environment['NODE_OPTIONS'] ?? ''} --permission --allow-fs-read=*`;
  const run = (command: readonly string[], env: Record<string, string>) =>
    spawn(command[0] ?? '', command.slice(1), {
      cwd: image.folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...personOf(image.user),
    });
  const child = run(image.command, { ...variables, NODE_OPTIONS: readOnly });
  const lines = linesOf(child);
  let errors = '';
  child.stderr.on('data', (piece) => {
    errors += String(piece);
  });
  return {
    child,
    lines,
    errors: () => errors,
    checkHealth: async () => {
      const [code] = await once(run(image.healthCheck, variables), 'exit');
      return code as number;
    },
  };
}
