// The terminals of somebody who works through a tutorial: one in which commands follow each other, and those of programs that stay open.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '#test/support/worlds/local-service.ts';
import { isAsShown } from './read-tutorial.ts';

export type Terminals = ReturnType<typeof openTerminals>;

/** `folder`: where the reader begins. `state`: a folder of the test's own. `environment`: all that the programs have of it. */
export function openTerminals({
  folder,
  state,
  environment,
}: {
  readonly folder: string;
  readonly state: string;
  readonly environment: Readonly<Record<string, string>>;
}) {
  const open: { readonly child: ChildProcess; text: string; shown: number }[] = [];
  const place = join(state, 'place');
  const variables = join(state, 'variables');
  writeFileSync(place, folder);
  const start = (commands: string): ChildProcess => {
    const before = existsSync(variables) ? '. "$VARIABLES"\n' : '';
    const last = `trap 'pwd > "$PLACE"; export -p > "$VARIABLES"' EXIT`;
    const script = `${before}cd "$(cat "$PLACE")"\n${last}\nset -ae\n${commands}`;
    const env = { ...environment, PLACE: place, VARIABLES: variables };
    return spawn('bash', ['-c', script], { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  };
  return {
    /** The folder in which the next command is typed. */
    place: () => readFileSync(place, 'utf8').trim(),
    /** Types the commands, waits until they have ended, and answers all that was to be seen. */
    run: async (commands: string): Promise<string> => {
      const child = start(commands);
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece) => (text += String(piece)));
      await once(child, 'close');
      return text;
    },
    /** Types a command that goes on, in a terminal of its own; resolves once that shows what the page says. */
    stay: async (commands: string, shown: string): Promise<void> => {
      const child = start(commands);
      const terminal = { child, text: '', shown: 0 };
      open.push(terminal);
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (piece) => {
          terminal.text += String(piece);
        });
      await until(terminal, shown);
    },
    /** Resolves once the terminal that was opened last shows this, behind what was looked at before. */
    shows: (shown: string): Promise<void> => until(open.at(-1) ?? assert.fail('no terminal is open'), shown),
    close: async (): Promise<void> => {
      for (const { child } of open) {
        if (child.pid === undefined || child.exitCode !== null) continue;
        process.kill(-child.pid, 'SIGTERM');
        await once(child, 'close');
      }
    },
  };
}

async function until(terminal: { readonly text: string; shown: number }, shown: string): Promise<void> {
  const fresh = () => terminal.text.slice(terminal.shown);
  await eventually('the terminal shows it', () => isAsShown(shown, fresh())).catch(() =>
    assert.ok(isAsShown(shown, fresh()), `is to be seen:\n${shown}\n\nis seen:\n${fresh()}`),
  );
  terminal.shown = terminal.text.length;
}
